import { ClipError } from '../../errors.js';
import type { Context } from '../context.js';
import type { CAT_FLAGS, Input } from '../definitions.js';
import { resolveArgument } from '../paths.js';

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
  for (const path of paths) {
    try {
      const node = await resolveArgument(index, path, { followLast: true });
      for await (const chunk of reader.read(node, { ...range, signal })) await stdout.write(chunk);
    } catch (error) {
      context.softError(error);
    }
  }
}
