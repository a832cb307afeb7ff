import { ClipError } from '../errors.js';
import { wholeBlob } from './blob.js';
import { layerInfo, type ReadContext } from './context.js';
import { decodeStream } from './decode-stream.js';
import { deliverSpan, keepsInMemory } from './deliver.js';
import { joinRun, type RunHandle } from './runs.js';
import { layerClaim } from './unit-claims.js';
import type { SpanUnit } from './units.js';

export interface LayerLoad {
  /** Told when it is up to this load to decode the layer, and it does not join a run. */
  onStart?: () => void;
  /** False: nobody has asked for the layer yet, and its inflate counts nowhere. */
  counted: boolean;
}

/**
 * One decoder run fills all spans of the layer, whichever is missing. Throws NO_ROOM_FOR_LAYER when no tier can hold them, since every read
 * would then inflate the layer again.
 */
export async function fetchLayer(
  context: ReadContext,
  layer: number,
  options: LayerLoad & { missing: readonly SpanUnit[]; signal: AbortSignal },
): Promise<void> {
  const { onStart, counted, missing, signal } = options;
  const info = layerInfo(context, layer);
  const room = context.cache.room(info.uncompressedSize);
  if (!room.memory && !room.lower) {
    onStart?.();
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
      const release = context.cache.retain(layerClaim(info));
      return decodeLayer(context, layer, { run, counted }).finally(release);
    },
    ...(onStart && { onStart }),
  });
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
