import type { Origin } from '../cache/tiered.js';
import { ClipError } from '../errors.js';
import { wholeBlob } from './blob.js';
import { layerInfo, type ReadContext } from './context.js';
import { decodeStream } from './decode-stream.js';
import { deliverSpan, keepsInMemory } from './deliver.js';
import { joinRun, type RunHandle } from './runs.js';
import type { SpanUnit } from './units.js';

export interface LayerOriginOptions {
  /** Told when it is up to this load to decode the layer, and it does not join a run. */
  onStart?: () => void;
  /** False: nobody has asked for the layer yet, and its inflate counts nowhere. */
  counted: boolean;
}

/**
 * The `layer` strategy: one decoder run fills all spans of the layer, whichever is asked for. Throws NO_ROOM_FOR_LAYER when no tier can
 * hold them, since every read would then inflate the layer again.
 */
export function layerOrigin(
  context: ReadContext,
  layer: number,
  options: LayerOriginOptions,
): Origin<SpanUnit> {
  const info = layerInfo(context, layer);
  const claim = { name: info.digest.slice(info.digest.indexOf(':') + 1), bytes: info.uncompressedSize };
  const origin = async (missing: readonly SpanUnit[], signal: AbortSignal) => {
    const room = context.cache.room(info.uncompressedSize);
    if (!room.memory && !room.lower) {
      options.onStart?.();
      throw new ClipError(
        'NO_ROOM_FOR_LAYER',
        `no cache can hold layer ${info.digest} with its ${info.uncompressedSize} uncompressed bytes`,
        { hint: 'use --strategy span, or raise --disk-cache or --memory-cache' },
      );
    }
    await joinRun(context, {
      key: `${layer}`,
      units: missing,
      signal,
      start: (run) => {
        // The run goes on when the load that began it has what it wanted.
        const release = context.cache.retain(claim);
        return decodeLayer(context, layer, { run, counted: options.counted }).finally(release);
      },
      ...(options.onStart && { onStart: options.onStart }),
    });
  };
  return Object.assign(origin, { claimOf: () => claim });
}

async function decodeLayer(
  context: ReadContext,
  layer: number,
  options: { run: RunHandle; counted: boolean },
): Promise<void> {
  const info = layerInfo(context, layer);
  const { observer } = context;
  const { signal } = options.run;
  const tell = options.counted && info.encoding !== 'plain';
  const about = { unit: 'layer', layer: info.digest, key: info.digest } as const;
  const spans = await context.index.spans(layer, 0, info.uncompressedSize);
  const keep = keepsInMemory(context, info.uncompressedSize);
  let bytes = 0;
  let seconds = 0;
  if (tell) observer.emit({ type: 'inflate-start', ...about });
  await decodeStream({
    decoders: await context.decoders(),
    encoding: info.encoding,
    spans,
    chunks: wholeBlob(context, info, signal),
    signal,
    onSpan(span, value, taken) {
      bytes += value.byteLength;
      seconds += taken;
      deliverSpan(context, layer, { span, value, keepInMemory: keep });
      options.run.pass(span);
    },
  });
  if (tell) observer.emit({ type: 'inflate', ...about, bytes, seconds });
  observer.emit({ type: 'layer-cached', layer: info.digest, bytes });
}
