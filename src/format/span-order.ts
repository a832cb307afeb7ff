import type { Span } from './model.js';

/** What keeps a span from being the next one of its layer; undefined where nothing does. */
export function outOfOrder(before: Span, span: Span): string | undefined {
  if (span.byte < before.byte || span.end < before.end) return 'spans go back';
  if (before.kind !== 'frame' || span.byte !== before.byte) {
    return span.skip > 0 ? 'a span skips what is not of its frame' : undefined;
  }
  const goesOn =
    span.kind === 'frame' && span.end === before.end && span.skip === before.skip + before.length;
  return goesOn ? undefined : 'spans of one frame do not go on where the one before ends';
}
