import { createHash } from 'node:crypto';
import type { Claims } from '../cache/claims.js';
import { fetchOnce } from '../cache/single-flight.js';
import { ClipError } from '../errors.js';
import { bufferSource } from '../format/buffer-source.js';
import { openLayerSection } from '../format/layer-section.js';
import { inParallel } from '../in-parallel.js';
import type { Observer } from '../observer.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { ResolvedImage } from '../source/resolve-image.js';
import type { ImageSource } from '../source/source.js';
import { scanLayer } from './scan-layer.js';
import { createScanPool } from './scan-pool.js';

/** Layers that are asked for elsewhere at the same time. */
const ASKED_AT_ONCE = 8;

/** Where sections of layers that were scanned before are kept; see store.ts. */
export interface SectionStore {
  get(digest: string, spacing: number): Promise<Uint8Array | undefined>;
  put(digest: string, spacing: number, section: Uint8Array): Promise<void>;
  /** Of the processes that share the store, one scans a layer and the others wait for it. Absent: each scans for itself. */
  readonly claims?: Claims;
}

export interface SectionOptions {
  spacing: number;
  sections: SectionStore;
  /** Asked for what the store does not have; what it gives is not kept there, since others vouch for it. */
  elsewhere?: (layer: Descriptor) => Promise<Uint8Array | undefined>;
  observer: Observer;
  signal?: AbortSignal;
}

/** Layers that were scanned, that were indexed on this machine, before or meanwhile, and whose sections others pushed to a registry. */
export interface LayerOrigins {
  scanned: number;
  local: number;
  registry: number;
}

interface ImageLayer {
  descriptor: Descriptor;
  diffId: string;
}

/** The section of every layer of an image by its digest: from the store, from elsewhere, else by scanning it once. */
export async function layerSections(
  source: ImageSource,
  image: ResolvedImage,
  options: SectionOptions,
): Promise<{ sections: Map<string, Uint8Array>; origins: LayerOrigins }> {
  const { spacing, sections: store, elsewhere } = options;
  const found = new Map<string, Uint8Array>();
  const origins: LayerOrigins = { scanned: 0, local: 0, registry: 0 };

  async function find(
    layer: ImageLayer,
    from: Promise<Uint8Array | undefined>,
    origin: 'local' | 'registry',
  ): Promise<boolean> {
    const section = await reusable(from, { ...layer, spacing });
    if (!section) return false;
    found.set(layer.descriptor.digest, section);
    origins[origin]++;
    return true;
  }
  const inStore = (layer: ImageLayer) => find(layer, store.get(layer.descriptor.digest, spacing), 'local');

  let missing: ImageLayer[] = [];
  for (const layer of distinctLayers(image)) {
    if (!(await inStore(layer))) missing.push(layer);
  }
  if (elsewhere) {
    await inParallel(missing, ASKED_AT_ONCE, async (layer) => {
      await find(layer, elsewhere(layer.descriptor), 'registry');
    });
    missing = missing.filter(({ descriptor }) => !found.has(descriptor.digest));
  }
  const scan = (layers: readonly ImageLayer[]) =>
    scanLayers(source, layers, {
      ...options,
      async scanned(layer, section) {
        found.set(layer.descriptor.digest, section);
        origins.scanned++;
        await store.put(layer.descriptor.digest, spacing, section);
      },
    });
  if (store.claims) await scanOnce(missing, { ...options, claims: store.claims, inStore, scan });
  else await scan(missing);
  return { sections: found, origins };
}

/**
 * Each layer once: an image may have one several times, and only the first is looked at. Throws CORRUPT_IMAGE or DIGEST_MISMATCH where the
 * others are described differently.
 */
function distinctLayers({ layers, diffIds }: ResolvedImage): ImageLayer[] {
  const distinct = new Map<string, ImageLayer>();
  for (const [i, descriptor] of layers.entries()) {
    const { digest, size } = descriptor;
    const diffId = diffIds[i]!;
    const first = distinct.get(digest);
    if (first === undefined) distinct.set(digest, { descriptor, diffId });
    else if (size !== first.descriptor.size) {
      throw new ClipError(
        'CORRUPT_IMAGE',
        `the manifest names layer ${digest} with ${first.descriptor.size} bytes and with ${size}`,
        { hint: 'the image is damaged or was made by a faulty tool; pull or push it anew' },
      );
    } else if (diffId !== first.diffId) {
      throw new ClipError(
        'DIGEST_MISMATCH',
        `the config names layer ${digest} with diffID ${first.diffId} and with ${diffId}`,
        { hint: 'the image is damaged or forged: its config does not belong to its layers' },
      );
    }
  }
  return [...distinct.values()];
}

/** Scans what no other process is scanning, and takes what the others put into the store. */
async function scanOnce(
  layers: readonly ImageLayer[],
  options: Pick<SectionOptions, 'spacing' | 'observer' | 'signal'> & {
    claims: Claims;
    inStore(layer: ImageLayer): Promise<boolean>;
    scan(layers: readonly ImageLayer[]): Promise<void>;
  },
): Promise<void> {
  const { spacing, claims, observer, signal = new AbortController().signal } = options;
  // Who claims one layer scans others before it.
  const bytes = layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  const tell = (done: number, total: number) =>
    observer.emit({ type: 'progress', task: 'layers that another clip scans', done, total, unit: 'layers' });
  let awaited = 0;
  let answered = 0;
  await fetchOnce(layers, {
    claims,
    claimOf: ({ descriptor }) => ({ name: claimName(descriptor.digest, spacing), bytes }),
    contains: () => true,
    find: options.inStore,
    origin: options.scan,
    onWait(count) {
      awaited = count;
      tell(0, awaited);
    },
    onWaited({ descriptor }, how, seconds) {
      tell(++answered, awaited);
      observer.emit({ type: 'waited', key: descriptor.digest, how, seconds });
    },
    signal,
  });
}

function claimName(digest: string, spacing: number): string {
  return createHash('sha256').update(`${digest}\n${spacing}`).digest('hex');
}

/** Scans as many layers at a time as there are threads. */
async function scanLayers(
  source: ImageSource,
  layers: readonly ImageLayer[],
  options: Pick<SectionOptions, 'spacing' | 'observer' | 'signal'> & {
    scanned(layer: ImageLayer, section: Uint8Array): Promise<void>;
  },
): Promise<void> {
  const { spacing, observer, signal, scanned } = options;
  // The largest first: what is begun last should be soon done.
  const queue = [...layers].sort((a, b) => b.descriptor.size - a.descriptor.size);
  const pool = createScanPool(queue.map(({ descriptor }) => descriptor));
  const failed = new AbortController();
  const abort = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  try {
    await inParallel(queue, pool.size, async (layer) => {
      try {
        abort.throwIfAborted();
        await scanned(layer, await scanLayer(source, layer, { spacing, pool, observer, signal: abort }));
      } catch (error) {
        // The others stop at their next bytes; their threads go on until then.
        failed.abort(error);
        throw error;
      }
    });
  } finally {
    await pool.close();
  }
}

/** A section that somebody has, if it is whole to its last block and says the same of the layer as this image does. */
async function reusable(
  from: Promise<Uint8Array | undefined>,
  layer: ImageLayer & { spacing: number },
): Promise<Uint8Array | undefined> {
  const section = await from;
  if (!section) return undefined;
  const { descriptor, diffId, spacing } = layer;
  try {
    const { info, spacing: actual, verify } = await openLayerSection(bufferSource(section));
    await verify();
    const fits = info.digest === descriptor.digest && info.size === descriptor.size && info.diffId === diffId;
    return fits && actual === spacing ? section : undefined;
  } catch {
    return undefined;
  }
}
