import { ClipError } from '../../errors.js';
import type { Input, PULL_FLAGS } from '../command-flags.js';
import type { Context } from '../context.js';

/** `clip pull`: fetches the index beside an image, into the store or into a file, and prints its path. */
export async function run(context: Context, { args, flags }: Input<typeof PULL_FLAGS>): Promise<void> {
  const { index } = context.openOptions;
  if (index === 'local' || index === 'build') {
    throw new ClipError(
      'USAGE',
      `clip pull takes its index from a registry, and --index ${index} forbids it`,
      {
        hint: 'leave out --index and CLIP_INDEX, or pin an index by its digest',
      },
    );
  }
  const { pullIndex } = await import('../../build/pull-index.js');
  const options = { ...context.openOptions, ...(flags.output === undefined ? {} : { output: flags.output }) };
  const pulled = await pullIndex(args[0]!, options);
  await context.stdout.print(
    flags.json ? `${JSON.stringify({ schema: 1, ...pulled }, null, 2)}\n` : `${pulled.path}\n`,
  );
}
