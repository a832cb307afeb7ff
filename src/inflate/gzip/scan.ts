/**
 * Scans a gzip layer and chooses its checkpoints.
 *
 * A checkpoint costs its window, so it is put where the window needs the fewest bytes: the candidates are the block
 * boundaries within a quarter of the spacing (at most 2 MiB) either side of the mark, one spacing after the last
 * checkpoint. Each is judged 32 KiB later, when all that can reach before it has gone by (core/reach.ts), and only the best
 * window so far is kept. A member's start needs none and wins at once from the mark on. Candidates lie at least a 128th of the
 * spacing apart, so thousands of tiny blocks cost no more than a few dozen judgements.
 *
 * Where that stretch has no boundary the next one is taken; where none comes within one and a half spacings, the next symbol
 * boundary, with a copy of the block's header; inside a stored block (at most 65,535 bytes, half the least spacing) its end.
 * So no span is longer than twice the spacing, whatever the stream.
 */
import { createHash } from 'node:crypto';
import type { StartKind } from '../../format/model.js';
import type { LayerScanner, ScanOptions, ScanSink } from '../scanner.js';
import { createSpanDigests } from '../span-digests.js';
import { acquireCore, type Core, IN_CODES, releaseCore, WINDOW_SIZE } from './core.js';
import { createMemberReader, type MemberReader } from './reader.js';
import { type Checkpoint, createSpanWriter, type SpanWriter } from './spans.js';

/** Half-width of the stretch in which candidates are compared, at most. */
const MAX_REACH = 2 ** 21;

/** A place that may become a checkpoint and is not judged yet. */
interface Candidate extends Checkpoint {
  position: number;
  log: number;
}

interface Best extends Checkpoint {
  /** Bytes of its window that are needed. */
  needed: number;
}

interface Chooser {
  stopAt(): number;
  stopped(): boolean;
  blocksFrom(): number;
  block(): void;
  memberEnd(): void;
  memberStart(): void;
  /** The stream has ended: the last cut, if the remainder is long. */
  finish(): void;
}

const NO_BYTES = new Uint8Array(0);

/** Throws RangeError for a spacing that is not 131,072 to 67,108,864 bytes. */
export function createGzipScanner(sink: ScanSink, options: ScanOptions): LayerScanner {
  const { spacing, digests = createSpanDigests(() => createHash('sha256')) } = options;
  if (!(spacing >= 131072 && spacing <= 67108864)) throw new RangeError(`spacing out of range: ${spacing}`);
  let core: Core | undefined = acquireCore();
  const first: Checkpoint = {
    offset: 0,
    byte: 0,
    bit: 0,
    kind: 'member',
    window: NO_BYTES,
    header: undefined,
  };
  const spans = createSpanWriter(sink, { first, digests });
  let dataEnd = 0;
  let memberOffset = 0;

  const reader: MemberReader = createMemberReader(
    core,
    {
      data(bytes) {
        sink.data(bytes);
        spans.data(bytes);
      },
      stopAt: () => chooser.stopAt(),
      stopped: () => chooser.stopped(),
      blocksFrom: () => chooser.blocksFrom(),
      block: () => chooser.block(),
      memberEnd() {
        if (reader.offset() > memberOffset) dataEnd = reader.place().byte;
        memberOffset = reader.offset();
        chooser.memberEnd();
      },
      memberStart: () => chooser.memberStart(),
    },
    { verify: true },
  );
  const chooser = createChooser({ core, reader, spans, spacing });

  /** Gives the core back when the scan is over, well or badly. */
  const closing = <T>(work: () => T, last: boolean): T => {
    if (core === undefined) throw new Error('the scan is over');
    let failed = true;
    try {
      const result = work();
      failed = false;
      return result;
    } finally {
      if (failed || last) {
        releaseCore(core);
        core = undefined;
      }
    }
  };

  return {
    push: (chunk) => closing(() => reader.push(chunk), false),
    end: () =>
      closing(() => {
        const trailingBytes = reader.end();
        chooser.finish();
        spans.finish(dataEnd);
        return { encoding: 'gzip', uncompressedSize: reader.offset(), trailingBytes };
      }, true),
  };
}

interface ChooserOptions {
  core: Core;
  reader: MemberReader;
  spans: SpanWriter;
  spacing: number;
}

function createChooser({ core, reader, spans, spacing }: ChooserOptions): Chooser {
  const { wasm } = core;
  const reach = Math.min(Math.floor(spacing / 4), MAX_REACH);
  const gap = Math.max(Math.floor(spacing / 128), 4096);
  let last = 0;
  let mark = 0;
  let open: Candidate[] = [];
  let best: Best | undefined;
  /** Offset of the newest candidate of this round, or -1. */
  let newest = -1;
  /** The symbol fallback met a stored block: its end is near, and is taken. */
  let awaitingBoundary = false;

  const beginRound = (offset: number): void => {
    last = offset;
    mark = offset + spacing;
    open = [];
    best = undefined;
    newest = -1;
    awaitingBoundary = false;
    wasm.closeCandidates();
  };

  const candidate = (kind: StartKind): Candidate => ({
    offset: reader.offset(),
    ...reader.place(),
    kind,
    window: NO_BYTES,
    header:
      kind === 'symbol'
        ? { bit: wasm.headerBit(), bytes: core.bytes.slice(core.header, core.header + wasm.headerBytes()) }
        : undefined,
    position: wasm.outputPosition(),
    log: kind === 'member' ? 0 : wasm.openCandidate(),
  });

  const admit = (kind: StartKind): Candidate => {
    const found = candidate(kind);
    newest = found.offset;
    spans.hold(found.offset);
    return found;
  };

  const consider = (found: Checkpoint, needed: number): boolean => {
    const better =
      best === undefined ||
      needed < best.needed ||
      (needed === best.needed && Math.abs(found.offset - mark) < Math.abs(best.offset - mark));
    if (better) best = { ...found, needed };
    return better;
  };

  const judge = (found: Candidate): void => {
    const needed = wasm.judge(found.position, found.log);
    if (consider(found, needed) && best !== undefined && needed > 0) {
      best.window = core.bytes.slice(core.window + wasm.firstNeeded(), core.window + WINDOW_SIZE);
    }
  };

  /** Cuts at the best place when no later candidate can beat it. */
  const settle = (): void => {
    if (best === undefined) return;
    const unbeatable = best.needed === 0 && best.offset >= mark;
    if (!unbeatable && (open.length > 0 || reader.offset() < mark + reach)) return;
    cut(best);
  };

  const cut = ({ offset, byte, bit, kind, window, header }: Best): void => {
    reader.flush();
    spans.cut({ offset, byte, bit, kind, window, header });
    beginRound(offset);
  };

  beginRound(0);
  return {
    stopAt() {
      if (open.length > 0) return open[0]!.offset + WINDOW_SIZE;
      if (best !== undefined) return mark + reach;
      return awaitingBoundary ? Number.POSITIVE_INFINITY : last + Math.floor(1.5 * spacing);
    },
    stopped() {
      const offset = reader.offset();
      while (open.length > 0 && offset >= open[0]!.offset + WINDOW_SIZE) judge(open.shift()!);
      if (open.length === 0) wasm.closeCandidates();
      if (open.length === 0 && best === undefined) {
        if (wasm.blockState() === IN_CODES) open.push(admit('symbol'));
        else awaitingBoundary = true;
      }
      settle();
      return false;
    },
    blocksFrom() {
      if (newest < 0) return mark - reach;
      return newest + gap <= mark + reach ? newest + gap : Number.POSITIVE_INFINITY;
    },
    block() {
      if (newest >= 0 && reader.offset() > mark + reach) return;
      open.push(admit('block'));
    },
    memberEnd() {
      // No later byte refers to an earlier one.
      for (const found of open) judge(found);
      open = [];
      wasm.closeCandidates();
      settle();
    },
    memberStart() {
      const offset = reader.offset();
      if (offset < mark - reach || (newest >= 0 && offset > mark + reach)) return;
      consider(admit('member'), 0);
      settle();
    },
    finish() {
      if (best !== undefined && best.offset < reader.offset() && reader.offset() - last > 1.25 * spacing)
        cut(best);
    },
  };
}
