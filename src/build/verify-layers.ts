import { isDeepStrictEqual } from 'node:util';
import { escapeName } from '../escape.js';
import { bufferSource } from '../format/buffer-source.js';
import { type OpenedLayerSection, openLayerSection } from '../format/layer-section.js';
import { inParallel } from '../in-parallel.js';
import { each } from '../tree/each.js';
import { scanLayer } from './scan-layer.js';
import { createScanPool } from './scan-pool.js';
import type { Checking } from './verify-checking.js';
import type { NamedLayer } from './verify-documents.js';

/** Scans each layer once more and holds the result against its section. */
export async function checkLayers(
  checking: Checking,
  layers: readonly NamedLayer[],
): Promise<{ digest: string; ok: boolean }[]> {
  const distinct = new Map(layers.map((layer) => [layer.descriptor.digest, layer]));
  const queue = [...distinct.values()];
  const results = queue.map(({ descriptor }) => ({ digest: descriptor.digest, ok: false }));
  const pool = createScanPool(queue.map(({ descriptor }) => descriptor));
  try {
    await inParallel(queue, pool.size, async (layer, i) => {
      results[i]!.ok = await checkLayer(checking, layer, pool);
    });
  } finally {
    await pool.close();
  }
  return results;
}

async function checkLayer(
  { index, source, description, findings, options }: Checking,
  layer: NamedLayer,
  pool: ReturnType<typeof createScanPool>,
): Promise<boolean> {
  const { digest } = layer.descriptor;
  const about = { about: 'layer', layer: digest } as const;
  try {
    const { scanObserver: observer, signal } = options;
    const { spacing } = description;
    const truth = await scanLayer(source, layer, { spacing, pool, observer, ...(signal && { signal }) });
    const number = index.layers.findIndex((info) => info.digest === digest);
    // That the index lacks the layer has been told.
    if (number < 0) return false;
    const section = await index.layerSection(number);
    if (Buffer.compare(section, truth) === 0) return true;
    const message = `the index does not say the truth about it: ${await difference(section, truth)}`;
    findings.add({ ...about, code: 'CORRUPT_INDEX', message });
  } catch (error) {
    findings.caught(error, about);
  }
  return false;
}

/** What a person may want to know of two sections that differ; the claim may be damaged in any way. */
async function difference(claim: Uint8Array, truth: Uint8Array): Promise<string> {
  try {
    const claimed = await openLayerSection(bufferSource(claim));
    const actual = await openLayerSection(bufferSource(truth));
    return (
      (await differentEntry(claimed, actual)) ??
      (await differentSpan(claimed, actual)) ??
      (isDeepStrictEqual(claimed.info, actual.info) ? 'its windows differ' : 'its sizes or digests differ')
    );
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function differentEntry(
  claimed: OpenedLayerSection,
  actual: OpenedLayerSection,
): Promise<string | undefined> {
  const truths = each(actual.entries());
  for await (const claim of each(claimed.entries())) {
    const { value: truth } = await truths.next();
    if (!isDeepStrictEqual(claim, truth)) return `it differs first at /${escapeName(claim.path)}`;
  }
  const missing = await truths.next();
  return missing.done ? undefined : `it differs first at /${escapeName(missing.value.path)}`;
}

async function differentSpan(
  claimed: OpenedLayerSection,
  actual: OpenedLayerSection,
): Promise<string | undefined> {
  const claims = await claimed.spans(0, claimed.info.uncompressedSize);
  const truths = await actual.spans(0, actual.info.uncompressedSize);
  for (let i = 0; i < Math.max(claims.length, truths.length); i++) {
    if (!isDeepStrictEqual(claims[i], truths[i])) return `span ${i} differs`;
  }
  return undefined;
}
