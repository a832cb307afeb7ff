import { ClipError } from '../../errors.js';
import { each } from '../../tree/each.js';
import { selectNodes } from '../../tree/select.js';
import type { Input } from '../command-flags.js';
import type { Context } from '../context.js';

/** `clip prefetch`: the spans of a selection of files into the tiers that outlive this process. Goes on after a path that fails. */
export async function run(context: Context, { args }: Input<Record<never, never>>): Promise<void> {
  const [target, ...patterns] = args;
  const { useCache, diskCache, remoteCache } = context.openOptions;
  if (!useCache || (diskCache === 0 && remoteCache === undefined)) {
    throw new ClipError('USAGE', 'there is no cache that would keep what is prefetched', {
      hint: 'leave out --no-cache, and give --disk-cache or --remote-cache',
    });
  }
  const { index, reader } = await context.open(target!);
  const selection = await selectNodes(index, patterns, { onError: context.softError });
  await reader.prefetch(each(selection.nodes()), { signal: context.signal });
}
