import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { isClipError } from '../../../src/errors.js';
import type { Span } from '../../../src/format/model.js';
import { inflateSpan } from '../../../src/inflate/resume.js';
import type { FrameDecoder } from '../../../src/inflate/zstd/frame-decoder.js';
import { createZstdScanner } from '../../../src/inflate/zstd/scan.js';
import { has } from '../../support/needs.js';
import { chunked, decoders, makeFrame, rawFrame, sample, skippable } from '../../support/zstd.js';
import { mutateBytes } from '../mutate-bytes.js';
import { createRandom, hashOf, type Random } from '../random.js';
import type { Outcome, Target } from '../target.js';

const SPACING = 131072;
/** Decoded bytes beyond which an input is left alone; so many zeros fit into a few bytes. */
const MOST_OUTPUT = 16 << 20;

/** zstd layers. Oracles: both of clip's decoders (the second where the running Node has one) against the zstd command. */
export function zstdTarget(): Target {
  const hasZstd = has('zstd');
  const compress = (plain: Uint8Array, ...args: string[]) =>
    hasZstd ? spawnSync('zstd', ['-q', '-c', ...args], { input: plain }).stdout : rawFrame(plain);
  return {
    name: 'zstd',
    code: ['inflate/zstd/'],
    seeds: () => [
      compress(sample(900), '-9', '--check'),
      compress(sample(3000), '-1', '--no-check'),
      compress(sample(200_000), '-3', '--check'),
      compress(Buffer.alloc(400_000), '--check'),
      compress(sample(40), '--no-check', '--ultra', '-22'),
      makeFrame([{ raw: sample(50) }, { zeros: 1000 }], { checksum: true, contentSize: 1050 }),
      Buffer.concat([rawFrame(sample(10)), skippable(Buffer.from('x')), rawFrame(Buffer.alloc(0))]),
      ...Array.from({ length: 6 }, (_, i) => randomFrames(createRandom(i))),
    ],
    mutate(input, other, random) {
      if (random.oneIn(6)) return randomFrames(random);
      if (random.oneIn(6)) return Buffer.concat([input, other]);
      return mutateBytes(input, other, random);
    },
    async run(input, thorough) {
      try {
        return await check(input, thorough);
      } catch (error) {
        if (error === UNDECIDED) return 'refused';
        throw error;
      }
    },
  };

  async function check(input: Uint8Array, thorough: boolean): Promise<Outcome> {
    const decoder = decoders[hashOf(input) % decoders.length]!;
    const sizes = [[1], [3, 700], [1 << 20]][hashOf(input) % 3]!;
    let scanned: Scanned;
    try {
      scanned = await scan(input, { sizes: input.length > 5000 ? [1 << 20] : sizes, decoder });
    } catch (error) {
      if (error === TOO_LARGE) return 'refused';
      if (!isClipError(error)) throw error;
      if (thorough && error.code === 'CORRUPT_LAYER') compareRefused(input, error.message);
      if (thorough) await otherRefuses(input, decoder.name);
      return 'refused';
    }
    const { data, spans } = scanned;
    let offset = 0;
    for (const span of spans) {
      if (span.offset !== offset || span.length < 1 || span.length > 2 * SPACING)
        throw new Error(`span ${span.index} is not sound`);
      const context = { window: new Uint8Array(0), header: undefined };
      const bytes = await inflateSpan('zstd', span, context, input.slice(span.byte, span.end));
      if (!data.subarray(offset, offset + span.length).equals(bytes))
        throw new Error(`span ${span.index} resumes to other bytes`);
      if (createHash('sha256').update(bytes).digest('hex') !== span.digest)
        throw new Error(`span ${span.index} has another digest`);
      offset += span.length;
    }
    if (offset !== data.length) throw new Error(`spans end at ${offset} of ${data.length}`);
    if (thorough) await compareTaken(input, data);
    return 'taken';
  }

  async function compareTaken(input: Uint8Array, data: Buffer): Promise<void> {
    for (const decoder of decoders) {
      const other = await scan(input, { decoder });
      if (!other.data.equals(data)) throw new Error(`${decoder.name} yields other bytes`);
    }
    const expected = hasZstd && input.length > 0 ? decode(input) : data;
    if (expected === undefined) throw new Error('took what zstd refuses');
    if (!expected.equals(data)) throw new Error('other bytes than zstd');
  }

  function compareRefused(input: Uint8Array, message: string): void {
    // zstd reads the frames of its versions before 0.8 too; RFC 8878 does not know them. It lets pass a run longer than the
    // window, against section 3.1.1.2.4. Of damage inside a block without a checksum every build of libzstd has its own opinion.
    if (!hasZstd || hasLegacyFrame(input) || /cannot be decoded|larger than its window/.test(message)) return;
    if (decode(input) !== undefined) throw new Error(`refused what zstd takes: ${message}`);
  }

  async function otherRefuses(input: Uint8Array, tried: string): Promise<void> {
    for (const decoder of decoders) {
      if (decoder.name === tried) continue;
      const taken = await scan(input, { decoder }).then(
        () => true,
        (error: unknown) => {
          if (error === TOO_LARGE || isClipError(error)) return false;
          throw error;
        },
      );
      if (taken) throw new Error(`${decoder.name} takes what ${tried} refuses`);
    }
  }
}

/** What zstd makes of it; undefined where it refuses. Throws UNDECIDED where it does not end. */
function decode(input: Uint8Array): Buffer | undefined {
  const { status, stdout } = spawnSync('zstd', ['-q', '-d', '-c', '--memory=128MB'], {
    input,
    maxBuffer: 1 << 28,
    timeout: 10_000,
  });
  if (status === null) throw UNDECIDED;
  return status === 0 ? stdout : undefined;
}

function hasLegacyFrame(input: Uint8Array): boolean {
  const bytes = Buffer.from(input);
  return [0x1e, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27].some((first) =>
    bytes.includes(Buffer.from([first, 0xb5, 0x2f, 0xfd])),
  );
}

const TOO_LARGE = new Error('too large');
const UNDECIDED = new Error('zstd does not end');

interface Scanned {
  data: Buffer;
  spans: Span[];
}

/** Throws TOO_LARGE where a few bytes yield a great many. */
async function scan(
  input: Uint8Array,
  { sizes = [1 << 20], decoder }: { sizes?: readonly number[]; decoder: FrameDecoder },
): Promise<Scanned> {
  const pieces: Buffer[] = [];
  const spans: Span[] = [];
  let size = 0;
  const sink = {
    data(bytes: Uint8Array) {
      size += bytes.length;
      if (size > MOST_OUTPUT) throw TOO_LARGE;
      pieces.push(Buffer.from(bytes));
    },
    span: (span: Span) => void spans.push(span),
  };
  const scanner = createZstdScanner(sink, { spacing: SPACING, decoder });
  for (const chunk of chunked(input, sizes)) await scanner.push(chunk);
  await scanner.end();
  return { data: Buffer.concat(pieces), spans };
}

function randomFrames(random: Random): Buffer {
  const frames = Array.from({ length: 1 + random.below(4) }, () => {
    if (random.oneIn(5)) return skippable(random.bytes(random.below(20)), random.below(16));
    const blocks = Array.from({ length: 1 + random.below(4) }, () =>
      random.oneIn(3)
        ? { zeros: random.below(random.pick([10, 5000, 131073])) }
        : { raw: sample(random.below(300)) },
    );
    const size = blocks.reduce((sum, block) => sum + ('raw' in block ? block.raw.length : block.zeros), 0);
    return makeFrame(blocks, {
      checksum: random.pick([true, true, false, 7]),
      contentSize: random.pick([undefined, size, size, size + 1, 2 ** 40]),
      window: random.pick([0, 56, 64, 64, 136, 137, 255]),
    });
  });
  return Buffer.concat(frames);
}
