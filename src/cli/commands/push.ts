import type { Input, PUSH_FLAGS } from '../command-flags.js';
import type { Context } from '../context.js';

/** `clip push`: stores an index beside its image and prints the reference of the artifact. */
export async function run(context: Context, { args, flags }: Input<typeof PUSH_FLAGS>): Promise<void> {
  const { pushIndex } = await import('../../build/push-index.js');
  const [target, image] = args;
  const options = { ...context.openOptions, ...(image === undefined ? {} : { image }) };
  const pushed = await pushIndex(target!, options);
  await context.stdout.print(
    flags.json ? `${JSON.stringify({ schema: 1, ...pushed }, null, 2)}\n` : `${pushed.reference}\n`,
  );
}
