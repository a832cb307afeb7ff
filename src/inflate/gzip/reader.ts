/**
 * Drives a DEFLATE core over a gzip blob: member headers, bodies, trailers, and what follows the last member. Scan, resume
 * and whole-layer decoding are this reader with different hooks.
 *
 * After a member, bytes that begin with the gzip magic are a further member, and anything wrong with it is damage. Other
 * bytes (zero padding, garbage) end the stream and are counted: so do GNU gzip and Node's zlib.
 */
import { type Core, DAMAGE, STATUS } from './core.js';
import { damaged } from './damage.js';
import { createHeaderParser } from './header.js';

export interface ReaderHooks {
  /** The next uncompressed bytes; the view is valid only during the call. */
  data(bytes: Uint8Array): void;
  /** Output offset at which `stopped` is to be called, Infinity for none. */
  stopAt?(): number;
  /** Output reached `stopAt`: at a symbol boundary at most 257 bytes on, or exactly there inside a stored block. True ends. */
  stopped?(): boolean;
  /** Output offset from which block boundaries are reported. */
  blocksFrom?(): number;
  /** A block has ended and another follows. */
  block?(): void;
  /** A member's body has ended; its bytes went to `data`. */
  memberEnd?(): void;
  /** A further member begins here. */
  memberStart?(): void;
}

export interface ReaderOptions {
  /** Check each member's CRC-32 and length. Not possible when decoding begins inside a member. */
  verify: boolean;
  /** Begin inside a body that the core was set up for, not at a member's header. */
  insideBody?: boolean;
}

export interface MemberReader {
  /** Throws ClipError CORRUPT_LAYER. */
  push(chunk: Uint8Array): void;
  /** Hands what was decoded so far to `data`. */
  flush(): void;
  /** Checks that the blob ended where it may. Returns the bytes after the last member. */
  end(): number;
  /** Output offset. */
  offset(): number;
  /** Place in the compressed blob: bytes consumed in whole, and bits (0–7) of the next. */
  place(): { byte: number; bit: number };
}

type State = 'header' | 'body' | 'trailer' | 'between' | 'trailing' | 'stopped';

/** Offsets are counted from the reader's start. Chunks may have any size; memory does not depend on the blob. */
export function createMemberReader(core: Core, hooks: ReaderHooks, options: ReaderOptions): MemberReader {
  const { wasm, bytes } = core;
  let state: State = options.insideBody ? 'body' : 'header';
  let header = createHeaderParser();
  let trailing = 0;
  let crc = 0;
  let memberOffset = 0;
  /** Blob offset of the input buffer's first byte; output offset of address 0. */
  let inputBase = 0;
  let outputBase = -wasm.outputNext();
  let delivered = wasm.outputNext();

  const offset = (): number => outputBase + wasm.outputNext();
  const available = (): number => wasm.inputEnd() - wasm.inputNext();

  const flush = (): void => {
    const next = wasm.outputNext();
    if (next === delivered) return;
    if (options.verify) crc = wasm.crc32(delivered, next - delivered, crc);
    const fresh = bytes.subarray(delivered, next);
    delivered = next;
    hooks.data(fresh);
  };

  const beginBody = (): void => {
    wasm.beginMember(0);
    crc = 0;
    memberOffset = offset();
    state = 'body';
  };

  /** One run of the core; false when it needs more input. */
  const body = (): boolean => {
    const stop = hooks.stopAt?.() ?? Number.POSITIVE_INFINITY;
    const stopAddress = Math.min(stop - outputBase, core.outputEnd);
    const blocksFrom = Math.min((hooks.blocksFrom?.() ?? Number.POSITIVE_INFINITY) - outputBase, 0x7fffffff);
    const status = wasm.run(stopAddress, Math.max(blocksFrom, 0));
    if (status === STATUS.needInput) return false;
    if (status === STATUS.block) {
      hooks.block?.();
    } else if (status === STATUS.end) {
      flush();
      state = 'trailer';
      hooks.memberEnd?.();
    } else if (status !== STATUS.stopped) {
      throw damaged(`${DAMAGE[status] ?? 'damaged'} near byte ${inputBase + wasm.inputNext() - core.input}`);
    } else if (offset() >= stop) {
      if (hooks.stopped?.()) state = 'stopped';
    }
    if (wasm.outputNext() >= core.outputEnd) {
      flush();
      const shift = wasm.slideOutput();
      outputBase += shift;
      delivered -= shift;
    }
    return true;
  };

  const trailer = (): void => {
    const at = wasm.inputNext();
    const view = new DataView(bytes.buffer, at, 8);
    if (options.verify) {
      if (view.getUint32(0, true) !== crc >>> 0)
        throw damaged('CRC-32 of the uncompressed bytes does not match');
      const length = (offset() - memberOffset) % 2 ** 32;
      if (view.getUint32(4, true) !== length)
        throw damaged('length of the uncompressed bytes does not match');
    }
    wasm.seekInput(at + 8, 0);
    state = 'between';
  };

  /** Another member, or the bytes after the last one? False when more input decides it. */
  const between = (): boolean => {
    const at = wasm.inputNext();
    const have = available();
    if (have === 0 || (have === 1 && bytes[at] === 0x1f)) return false;
    if (bytes[at] === 0x1f && bytes[at + 1] === 0x8b) {
      hooks.memberStart?.();
      header = createHeaderParser();
      state = 'header';
    } else {
      state = 'trailing';
    }
    return true;
  };

  const drain = (): void => {
    for (;;) {
      if (state === 'body') {
        if (!body()) return;
      } else if (state === 'header') {
        wasm.seekInput(header.push(bytes, wasm.inputNext(), wasm.inputEnd()), 0);
        if (!header.done()) return;
        beginBody();
      } else if (state === 'trailer') {
        if (available() < 8) return;
        trailer();
      } else if (state === 'between') {
        if (!between()) return;
      } else {
        trailing += available();
        wasm.seekInput(wasm.inputEnd(), 0);
        return;
      }
    }
  };

  return {
    push(chunk) {
      for (let at = 0; at < chunk.length && state !== 'stopped'; ) {
        inputBase += wasm.inputNext() - core.input;
        wasm.compactInput();
        const end = wasm.inputEnd();
        const length = Math.min(core.input + core.inputSize - end, chunk.length - at);
        bytes.set(chunk.subarray(at, at + length), end);
        wasm.setInputEnd(end + length);
        at += length;
        drain();
      }
      flush();
    },
    flush,
    end() {
      if (state === 'header' || state === 'body' || state === 'trailer')
        throw damaged('unexpected end of the stream');
      return trailing + available();
    },
    offset,
    place: () => ({ byte: inputBase + wasm.inputNext() - core.input, bit: wasm.inputBit() }),
  };
}
