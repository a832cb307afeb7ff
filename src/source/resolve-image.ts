/** From a source to one image for one platform: manifest, config, layers and diffIDs, checked against each other. */

import { ClipError, isClipError } from '../errors.js';
import type { Observer } from '../observer.js';
import type { Descriptor, Platform } from '../oci/descriptor.js';
import { corrupt, MAX_DOCUMENT } from '../oci/json.js';
import { manifestKind } from '../oci/media-types.js';
import { type ImageConfig, parseConfig } from '../oci/parse-config.js';
import { type Index, type Manifest, manifestMediaType, parseManifest } from '../oci/parse-manifest.js';
import {
  hostPlatform,
  isAttestation,
  normalisePlatform,
  parsePlatform,
  platformRank,
  printPlatform,
} from '../oci/platform.js';
import { digestOf, splitDigest } from '../reference/digest.js';
import type { ImageSource, ReadOptions } from './source.js';

/** Image indexes in image indexes; the spec has no bound, real ones have two. */
const MAX_DEPTH = 8;
/** Documents fetched for one image in all: an index without platforms must not make us fetch thousands. */
const MAX_FETCHES = 64;

export interface ResolveOptions {
  /** `os/arch[/variant]`; default linux on this machine's architecture. */
  platform?: string | undefined;
  observer?: Observer;
  signal?: AbortSignal | undefined;
}

export interface ResolvedImage {
  manifest: Uint8Array;
  manifestDigest: string;
  manifestMediaType: string;
  config: Uint8Array;
  /** `os/arch[/variant]` as the config has it. */
  platform: string;
  /** Lowest first; as many as `diffIds`. */
  layers: readonly Descriptor[];
  diffIds: readonly string[];
}

/**
 * Fetches and checks. Throws NOT_FOUND, PLATFORM_NOT_FOUND (its hint lists the platforms that there are), UNSUPPORTED,
 * CORRUPT_IMAGE, DIGEST_MISMATCH, LIMIT, or what the source throws.
 */
export async function resolveImage(
  source: ImageSource,
  options: ResolveOptions = {},
): Promise<ResolvedImage> {
  const wanted = options.platform === undefined ? hostPlatform() : parsePlatform(options.platform);
  const walk = createWalk(source, options);
  const top = await walk.fetch(undefined, 0);
  if (top.document.kind === 'manifest') {
    const image = await walk.image(top);
    const { platform } = image.config;
    // Without a choice to make, an image for another platform is still what was named; unless one was asked for. A bare tar does
    // not know what it is for.
    const isKnown = platform !== undefined && platform.architecture !== 'unknown';
    if (options.platform !== undefined && isKnown && platformRank(wanted, platform) === undefined) {
      throw platformNotFound(source.name, wanted, [platform]);
    }
    return finish(image, platform ?? wanted);
  }
  const candidates = await walk.flatten(top.document, 0);
  const image = await choose(walk, candidates, wanted);
  if (image === undefined) {
    throw platformNotFound(
      source.name,
      wanted,
      candidates.flatMap(({ platform }) => platform ?? []),
    );
  }
  return finish(image, image.config.platform ?? wanted);
}

/**
 * The digest of the manifest that `resolveImage` would choose, in as few requests as can be: what is enough to find an index by.
 * Throws as `resolveImage` does.
 */
export async function locateManifest(source: ImageSource, options: ResolveOptions = {}): Promise<string> {
  const walk = createWalk(source, options);
  const top = await walk.fetch(undefined, 0);
  if (top.document.kind === 'manifest') {
    // Whether it suits a platform that was asked for only its config can say.
    return options.platform === undefined ? top.digest : (await resolveImage(source, options)).manifestDigest;
  }
  const wanted = options.platform === undefined ? hostPlatform() : parsePlatform(options.platform);
  const best = bestByPlatform(await walk.flatten(top.document, 0), wanted);
  return best?.digest ?? (await resolveImage(source, options)).manifestDigest;
}

/** The platforms that an image is there for, without duplicates, as `os/arch[/variant]`. */
export async function listPlatforms(source: ImageSource, options: ReadOptions = {}): Promise<string[]> {
  const walk = createWalk(source, options);
  const top = await walk.fetch(undefined, 0);
  if (top.document.kind === 'manifest') {
    const { config } = await walk.image(top);
    return config.platform === undefined ? [] : [printPlatform(normalisePlatform(config.platform))];
  }
  const names = new Set<string>();
  for (const descriptor of await walk.flatten(top.document, 0)) {
    const platform = descriptor.platform ?? (await imageBehind(walk, descriptor))?.config.platform;
    if (platform !== undefined) names.add(printPlatform(normalisePlatform(platform)));
  }
  return [...names];
}

interface Fetched {
  bytes: Uint8Array;
  digest: string;
  mediaType: string;
  document: Manifest | Index;
}

interface Image {
  fetched: Fetched;
  manifest: Manifest;
  configBytes: Uint8Array;
  config: ImageConfig;
}

interface Walk {
  fetch(digest: string | undefined, depth: number): Promise<Fetched>;
  /** The image manifests of an index and of the indexes in it; attestations passed over. */
  flatten(index: Index, depth: number): Promise<Descriptor[]>;
  image(fetched: Fetched): Promise<Image>;
}

function createWalk(source: ImageSource, options: ResolveOptions): Walk {
  let fetches = 0;
  const read: ReadOptions = {
    ...(options.observer === undefined ? {} : { observer: options.observer }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  };

  async function fetch(digest: string | undefined, depth: number): Promise<Fetched> {
    if (depth > MAX_DEPTH) throw tooMuch(`image indexes are nested more than ${MAX_DEPTH} deep`);
    if (++fetches > MAX_FETCHES) throw tooMuch(`the image index leads to more than ${MAX_FETCHES} documents`);
    const { bytes, mediaType, digest: actual } = await source.manifest(digest, read);
    const document = parseManifest(bytes, mediaType);
    return { bytes, digest: actual, mediaType: manifestMediaType(document, mediaType), document };
  }

  async function flatten(index: Index, depth: number): Promise<Descriptor[]> {
    const found: Descriptor[] = [];
    for (const descriptor of index.manifests) {
      if (isAttestation(descriptor)) continue;
      if (manifestKind(descriptor.mediaType) !== 'index') {
        found.push(descriptor);
        continue;
      }
      const nested = await fetch(descriptor.digest, depth + 1);
      if (nested.document.kind !== 'index') throw corrupt(`the image index ${descriptor.digest}`, 'is none');
      found.push(...(await flatten(nested.document, depth + 1)));
    }
    return found;
  }

  async function image(fetched: Fetched): Promise<Image> {
    const manifest = fetched.document;
    if (manifest.kind !== 'manifest') throw corrupt(`the manifest ${fetched.digest}`, 'is an image index');
    const configBytes = await readConfig(source, manifest.config, read);
    const config = parseConfig(configBytes);
    if (config.diffIds.length !== manifest.layers.length) {
      const counts = `${manifest.layers.length} layers and ${config.diffIds.length} diffIDs`;
      throw corrupt(`the manifest ${fetched.digest}`, `does not fit its config: ${counts}`);
    }
    return { fetched, manifest, configBytes, config };
  }

  return { fetch, flatten, image };
}

/**
 * The best candidate: by platform, then by place in the index. What names no platform is asked for its config's, only where
 * nothing else fits; what is no image is passed over, and told only where it is alone.
 */
async function choose(
  walk: Walk,
  candidates: readonly Descriptor[],
  wanted: Platform,
): Promise<Image | undefined> {
  const best = bestByPlatform(candidates, wanted);
  if (best !== undefined) return await walk.image(await walk.fetch(best.digest, 0));
  let image: { image: Image; rank: number } | undefined;
  const unnamed = candidates.filter(({ platform }) => platform === undefined);
  for (const descriptor of unnamed) {
    const isAlone = candidates.length === 1;
    const candidate = isAlone
      ? await walk.image(await walk.fetch(descriptor.digest, 0))
      : await imageBehind(walk, descriptor);
    if (candidate === undefined) continue;
    const { platform } = candidate.config;
    const rank = platform === undefined ? undefined : platformRank(wanted, platform);
    if (rank !== undefined && rank < (image?.rank ?? Number.POSITIVE_INFINITY))
      image = { image: candidate, rank };
  }
  return image?.image;
}

/** The image that a descriptor leads to; undefined for an artifact of another kind. */
async function imageBehind(walk: Walk, descriptor: Descriptor): Promise<Image | undefined> {
  try {
    return await walk.image(await walk.fetch(descriptor.digest, 0));
  } catch (error) {
    if (isClipError(error, 'UNSUPPORTED')) return undefined;
    throw error;
  }
}

/** The first of those that suit best by the platforms that the image index names. */
function bestByPlatform(candidates: readonly Descriptor[], wanted: Platform): Descriptor | undefined {
  let best: { descriptor: Descriptor; rank: number } | undefined;
  for (const descriptor of candidates) {
    const rank = descriptor.platform === undefined ? undefined : platformRank(wanted, descriptor.platform);
    if (rank !== undefined && rank < (best?.rank ?? Number.POSITIVE_INFINITY)) best = { descriptor, rank };
  }
  return best?.descriptor;
}

function finish(image: Image, platform: Platform): ResolvedImage {
  const { fetched, manifest, configBytes, config } = image;
  return {
    manifest: fetched.bytes,
    manifestDigest: fetched.digest,
    manifestMediaType: fetched.mediaType,
    config: configBytes,
    platform: printPlatform(platform),
    layers: manifest.layers,
    diffIds: config.diffIds,
  };
}

async function readConfig(
  source: ImageSource,
  descriptor: Descriptor,
  read: ReadOptions,
): Promise<Uint8Array> {
  if (descriptor.size > MAX_DOCUMENT) throw tooMuch('the image config is larger than 4 MiB');
  const chunks: Uint8Array[] = [];
  for await (const chunk of source.blob(descriptor, read)) chunks.push(Uint8Array.from(chunk));
  const config = Buffer.concat(chunks);
  const actual = digestOf(config, splitDigest(descriptor.digest).algorithm);
  if (actual === descriptor.digest) return config;
  throw new ClipError('DIGEST_MISMATCH', `the image config ${descriptor.digest} has digest ${actual}`, {
    hint: 'the image or what it is read from is damaged',
  });
}

function tooMuch(what: string): ClipError {
  return new ClipError('LIMIT', what, {
    hint: 'this is no ordinary image; docs/security.md lists the limits',
  });
}

function platformNotFound(name: string, wanted: Platform, available: readonly Platform[]): ClipError {
  const names = [...new Set(available.map((platform) => printPlatform(normalisePlatform(platform))))];
  const hint =
    names.length === 0
      ? 'the image names no platform at all'
      : `there is: ${names.slice(0, 40).join(', ')}; choose one with --platform`;
  return new ClipError('PLATFORM_NOT_FOUND', `${name} is not there for ${printPlatform(wanted)}`, { hint });
}
