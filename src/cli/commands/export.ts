import { ClipError } from '../../errors.js';
import { exportTar } from '../../read/export.js';
import { each } from '../../tree/each.js';
import { selectNodes } from '../../tree/select.js';
import type { Input } from '../command-flags.js';
import type { Context } from '../context.js';

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
  const chunks = exportTar(each(selection.nodes()), { reader, observer, signal });
  for await (const chunk of chunks) await stdout.write(chunk);
}
