import { ClipError } from '../../errors.js';
import { extract } from '../../read/extract.js';
import type { NotCarried } from '../../read/extract-metadata.js';
import { lostLinkSentences } from '../../read/lost-links.js';
import { selectNodes } from '../../tree/select.js';
import type { EXTRACT_FLAGS, Input } from '../command-flags.js';
import type { Context } from '../context.js';
import { counted } from '../units.js';

/** `clip extract`: a selection of the tree as files and directories below a folder. Goes on after a path that is not there or cannot be here. */
export async function run(context: Context, { args, flags }: Input<typeof EXTRACT_FLAGS>): Promise<void> {
  const [target, ...patterns] = args;
  const { directory } = flags;
  if (directory === undefined) {
    throw new ClipError('USAGE', 'clip extract needs -C DIR, the folder to extract into', {
      hint: 'for example: clip extract debian:12 /etc -C out',
    });
  }
  const { index, reader } = await context.open(target!);
  const { observer, signal, softError: onError } = context;
  const selection = await selectNodes(index, patterns, { onError });
  const notCarried = await extract(selection, { directory, reader, observer, onError, signal });
  for (const message of warnings(notCarried)) {
    observer.emit({ type: 'warning', code: 'NOT_CARRIED_OVER', message });
  }
}

/** One sentence for each kind of thing that is not in the folder as it is in the image. */
function warnings(lost: NotCarried): string[] {
  const sentences: [number, string][] = [
    [lost.devices, `${counted(lost.devices, 'device')} cannot be made here and left out`],
    [lost.fifos, `${counted(lost.fifos, 'FIFO')} cannot be made here and left out`],
    ...lostLinkSentences(lost),
    [lost.xattrs, `extended attributes of ${counted(lost.xattrs, 'name')} left out`],
    [lost.owners, `the owner of ${counted(lost.owners, 'name')} not kept: that takes root`],
    [lost.setids, `setuid or setgid of ${counted(lost.setids, 'file')} dropped, since the owner is not kept`],
  ];
  return sentences.filter(([count]) => count > 0).map(([, sentence]) => sentence);
}
