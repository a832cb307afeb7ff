/**
 * gzip member headers (RFC 1952, section 2.3), parsed as they stream past, whatever their size, in constant memory.
 *
 * Like zlib and GNU gzip: unknown methods and reserved flags are refused, a header CRC is checked, FTEXT and the contents of
 * FEXTRA, FNAME and FCOMMENT are ignored.
 */
import { crc32 } from 'node:zlib';
import { damaged } from './damage.js';

const FHCRC = 2;
const FEXTRA = 4;
const FNAME = 8;
const FCOMMENT = 16;
const RESERVED = 0xe0;

const MAGIC = [0x1f, 0x8b];

type Step = 'fixed' | 'extra-length' | 'extra' | 'name' | 'comment' | 'crc' | 'done';
const ORDER: readonly Step[] = ['fixed', 'extra-length', 'extra', 'name', 'comment', 'crc'];
/** The flag that announces a step; `extra` is entered from `extra-length` alone. */
const NEEDS: Partial<Record<Step, number>> = {
  'extra-length': FEXTRA,
  name: FNAME,
  comment: FCOMMENT,
  crc: FHCRC,
};

export interface HeaderParser {
  /** Takes header bytes from [at, end); returns where it stopped. Throws ClipError CORRUPT_LAYER. */
  push(bytes: Uint8Array, at: number, end: number): number;
  /** The header is complete. */
  done(): boolean;
}

export function createHeaderParser(): HeaderParser {
  let step: Step = 'fixed';
  let taken = 0;
  let flags = 0;
  let extraLength = 0;
  let crc = 0;
  let expectedCrc = 0;

  const enter = (to: Step): void => {
    step = to;
    taken = 0;
  };

  /** The step after `from`; steps that the flags do not announce are skipped. */
  const advance = (from: Step): void => {
    const after = ORDER.indexOf(from) + 1;
    enter(ORDER.slice(after).find((to) => (flags & (NEEDS[to] ?? 0)) !== 0) ?? 'done');
  };

  const fixedByte = (byte: number): void => {
    if (taken < 2 && byte !== MAGIC[taken]) throw damaged('no gzip header where one was expected');
    if (taken === 2 && byte !== 8) throw damaged(`unknown compression method ${byte}`);
    if (taken === 3) {
      if (byte & RESERVED) throw damaged(`reserved header flags 0x${byte.toString(16)}`);
      flags = byte;
    }
    taken++;
    if (taken === 10) advance('fixed');
  };

  const extraLengthByte = (byte: number): void => {
    extraLength = taken === 0 ? byte : extraLength | (byte << 8);
    taken++;
    if (taken < 2) return;
    if (extraLength > 0) enter('extra');
    else advance('extra');
  };

  const crcByte = (byte: number): void => {
    expectedCrc = taken === 0 ? byte : expectedCrc | (byte << 8);
    taken++;
    if (taken < 2) return;
    if (expectedCrc !== (crc & 0xffff)) throw damaged('header checksum does not match');
    advance('crc');
  };

  /** Skips in bulk what is not looked at. */
  const skip = (bytes: Uint8Array, at: number, end: number): number => {
    if (step === 'extra') {
      const length = Math.min(extraLength - taken, end - at);
      taken += length;
      if (taken === extraLength) advance('extra');
      return at + length;
    }
    const zero = bytes.subarray(at, end).indexOf(0);
    if (zero < 0) return end;
    advance(step);
    return at + zero + 1;
  };

  return {
    push(bytes, at, end) {
      while (at < end && step !== 'done') {
        const from = at;
        const summed = step !== 'crc';
        if (step === 'extra' || step === 'name' || step === 'comment') at = skip(bytes, at, end);
        else if (step === 'fixed') fixedByte(bytes[at++]!);
        else if (step === 'extra-length') extraLengthByte(bytes[at++]!);
        else crcByte(bytes[at++]!);
        if (summed) crc = crc32(bytes.subarray(from, at), crc);
      }
      return at;
    },
    done: () => step === 'done',
  };
}
