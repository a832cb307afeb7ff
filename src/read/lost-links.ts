import { type Entry, hasImpossibleLink } from '../tree/entry.js';

/** Links that no unpacker can make, by count: `export` and `extract` leave them out with a word. */
export interface LostLinks {
  /** Hard links to nothing in the image. */
  brokenLinks: number;
  /** Symbolic links that no file system takes (`hasImpossibleLink`). */
  impossibleLinks: number;
}

/** What an entry counts as, or undefined for one that can be made. */
export function lostLink(entry: Entry): keyof LostLinks | undefined {
  // The index says this only of a link whose target is nowhere in the image.
  if (entry.type === 'hardlink') return 'brokenLinks';
  return hasImpossibleLink(entry) ? 'impossibleLinks' : undefined;
}

/** A sentence for each kind, with how many there were. */
export function lostLinkSentences({
  brokenLinks,
  impossibleLinks,
}: LostLinks): [count: number, text: string][] {
  const links = (count: number) => (count === 1 ? 'link' : 'links');
  return [
    [brokenLinks, `${brokenLinks} hard ${links(brokenLinks)} to nothing in the image left out`],
    [
      impossibleLinks,
      `${impossibleLinks} symbolic ${links(impossibleLinks)} to an empty name left out: no file system takes it`,
    ],
  ];
}
