import type { Context } from '../context.js';
import type { Input, PULL_FLAGS } from '../definitions.js';

/** `clip pull`: fetches the index beside an image, into the store or into a file, and prints its path. */
export async function run(context: Context, { args, flags }: Input<typeof PULL_FLAGS>): Promise<void> {
  const { pullIndex } = await import('../../build/pull-index.js');
  const options = { ...context.openOptions, ...(flags.output === undefined ? {} : { output: flags.output }) };
  const pulled = await pullIndex(args[0]!, options);
  await context.stdout.print(
    flags.json ? `${JSON.stringify({ schema: 1, ...pulled }, null, 2)}\n` : `${pulled.path}\n`,
  );
}
