import type { Entry } from '../tree/entry.js';
import { ByteWriter } from './byte-writer.js';
import { check } from './corrupt.js';
import { encodeEntries } from './entries-encode.js';
import { writeLayerFacts } from './layer-info.js';
import type { LayerInfo, Span, SpanContext } from './model.js';
import { encodeSection, SECTION_TYPE } from './section.js';
import { SpanTableWriter } from './spans-encode.js';

export interface LayerResult
  extends Pick<LayerInfo, 'digest' | 'size' | 'diffId' | 'uncompressedSize' | 'encoding'> {
  /** Sorted by (comparePaths, position). */
  entries: readonly Entry[];
  /** Digests of the spans, where those that were added had none. */
  spanDigests?: readonly string[] | undefined;
}

export interface LayerEncoder {
  /** The next span, as the scan yields it. Throws RangeError when it breaks its contract (docs/format.md, "spans"). */
  span(span: Span, context: SpanContext): void;
  /**
   * The layer's section: self-contained, relocatable, and a function of its content and the spacing alone. Throws LIMIT when the
   * layer holds what the format does not carry, such as a path of more than 16,384 bytes.
   */
  finish(result: LayerResult): Uint8Array;
}

/** Encodes a layer's section while the layer is scanned. `spacing` is in uncompressed bytes, 131,072 to 67,108,864. */
export function createLayerEncoder({ spacing }: { spacing: number }): LayerEncoder {
  const table = new SpanTableWriter(spacing);
  return {
    span(span, context) {
      table.add(span, context);
    },
    finish({ entries, spanDigests, ...layer }) {
      check(table.covered === layer.uncompressedSize, `spans end at ${table.covered}`);
      const info = new ByteWriter();
      writeLayerFacts(info, { ...layer, spacing, entryCount: entries.length, spanCount: table.count });
      const streams = [...encodeEntries(entries, layer.uncompressedSize), ...table.finish(spanDigests)];
      return encodeSection(SECTION_TYPE.layer, info.view(), streams);
    },
  };
}
