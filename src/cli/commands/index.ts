import type { INDEX_FLAGS, Input } from '../command-flags.js';
import type { Context } from '../context.js';
import { layerFacts } from '../output/info-json.js';

/** `clip index`: writes the index of an image, into the store or into a file, and prints its path. */
export async function run(context: Context, { args, flags }: Input<typeof INDEX_FLAGS>): Promise<void> {
  const { buildImageIndex } = await import('../../build/build-image-index.js');
  const built = await buildImageIndex(args[0]!, {
    ...context.openOptions,
    spacing: flags.spacing,
    ...(flags.output === undefined ? {} : { output: flags.output }),
  });
  const document = { schema: 1, ...built, layers: built.layers.map(layerFacts) };
  await context.stdout.print(flags.json ? `${JSON.stringify(document, null, 2)}\n` : `${built.path}\n`);
}
