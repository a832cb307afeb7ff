import { type Extent, Extents } from '../../src/tree/extents.js';

/** Extents as entries of sparse files have them. */
export function packed(extents: readonly Extent[]): Extents {
  return new Extents(
    Float64Array.from(extents.flatMap(({ logical, offset, length }) => [logical, offset, length])),
  );
}
