import { ClipError } from '../../errors.js';
import { type Begun, begin, begunAhead } from '../../read/begin.js';
import { zeros } from '../../read/plan.js';
import type { ImageReader } from '../../read/reader.js';
import type { Node } from '../../tree/node.js';
import type { CAT_FLAGS, Input } from '../command-flags.js';
import type { Context } from '../context.js';
import { resolveArgument } from '../paths.js';

/** Files from this size on are read as a tree's are, in memory that is used again. */
const LARGE = 16 << 20;

/** Reads under way at once, the one that is written included: over a long line most of a read is waiting. */
const AT_ONCE = 8;
/** Only files up to this size are begun before their turn: memory would hold windows of each. */
const SMALL = 1 << 20;

/** `clip cat`: the bytes of files on stdout. Goes on after a path that fails. */
export async function run(context: Context, { args, flags }: Input<typeof CAT_FLAGS>): Promise<void> {
  const [target, ...paths] = args;
  if (paths.length > 1 && (flags.offset !== 0 || flags.length !== undefined)) {
    throw new ClipError('USAGE', '--offset and --length take a single path', {
      hint: 'run `clip cat` once for each path',
    });
  }
  const { index, reader } = await context.open(target!);
  const { stdout, signal } = context;
  const range = { offset: flags.offset, ...(flags.length === undefined ? {} : { length: flags.length }) };

  /** Chunks are valid until the next one is asked for. */
  function chunksOf(node: Node): AsyncIterable<Uint8Array> {
    const whole = flags.offset === 0 && flags.length === undefined;
    return whole && node.entry.type === 'file' && node.entry.size >= LARGE
      ? readWhole(reader, node, signal)
      : reader.read(node, { ...range, signal });
  }

  async function read(path: string): Promise<AsyncIterable<Uint8Array> | Begun<Uint8Array>> {
    const node = await resolveArgument(index, path, { followLast: true });
    const chunks = chunksOf(node);
    return node.entry.size <= SMALL ? begin(chunks) : chunks;
  }

  function begun(path: string): ReturnType<typeof read> {
    const reading = read(path);
    // What fails is told when it is its turn.
    reading.catch(() => {});
    return reading;
  }

  function drop(reading: ReturnType<typeof read>): void {
    reading.then((chunks) => 'drop' in chunks && chunks.drop()).catch(() => {});
  }

  for (const [, reading] of begunAhead(paths, { most: AT_ONCE, begin: begun, drop })) {
    try {
      for await (const chunk of await reading) await stdout.write(chunk);
    } catch (error) {
      context.softError(error);
    }
  }
}

async function* readWhole(reader: ImageReader, node: Node, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const part of await reader.readFiles([node], { signal, inDataOrder: true })) {
    if (part.bytes.byteLength > 0) yield part.bytes;
    else yield* zeros(part.zeros);
  }
}
