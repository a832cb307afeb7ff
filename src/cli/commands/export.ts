import { ClipError } from '../../errors.js';
import { exportTar } from '../../read/export.js';
import type { Node } from '../../tree/node.js';
import { type Selection, selectNodes } from '../../tree/select.js';
import type { Context } from '../context.js';
import type { Input } from '../definitions.js';
import type { Stdout } from '../output/stdout.js';

/** Bytes that wait to be written while the next ones are inflated. */
const AHEAD = 4 << 20;

/** `clip export`: the tree, or a selection of it, as a tar on stdout. Goes on after a path that fails. */
export async function run(context: Context, { args }: Input<Record<never, never>>): Promise<void> {
  const [target, ...patterns] = args;
  const { observer, signal, stdout, terminal } = context;
  if (terminal.stdout) {
    throw new ClipError('USAGE', 'a tar is not for a terminal', {
      hint: 'send it somewhere: clip export IMAGE > image.tar, or clip export IMAGE | tar -x -C DIR',
    });
  }
  const { index, reader } = await context.open(target!);
  const selection = await selectNodes(index, patterns, { onError: context.softError });
  const chunks = exportTar(eachNode(selection), { reader, observer, signal });
  await writeAhead(stdout, chunks);
}

async function* eachNode(selection: Selection): AsyncIterable<Node> {
  for await (const batch of selection.nodes()) yield* batch;
}

/** Writes in order without waiting for each chunk, as long as little enough is on its way. */
async function writeAhead(stdout: Stdout, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const writes: { bytes: number; written: Promise<void> }[] = [];
  let ahead = 0;
  for await (const chunk of chunks) {
    const bytes = chunk.byteLength;
    const written = stdout.write(chunk);
    // It is awaited below, maybe after it has failed.
    written.catch(() => {});
    writes.push({ bytes, written });
    ahead += bytes;
    while (ahead > AHEAD) {
      const first = writes.shift()!;
      await first.written;
      ahead -= first.bytes;
    }
  }
  for (const { written } of writes) await written;
}
