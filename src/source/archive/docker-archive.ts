/**
 * What `docker save`, podman and skopeo write as docker-archive: `manifest.json` names each image's config and layer tars. There
 * is no OCI manifest in it; one is made that depends on nothing but the config and the layers.
 */

import { createHash } from 'node:crypto';
import { ClipError } from '../../errors.js';
import { detectEncoding, MAGIC_LENGTH } from '../../inflate/detect.js';
import type { Descriptor } from '../../oci/descriptor.js';
import { asArray, asObject, asText, corrupt, own } from '../../oci/json.js';
import { parseConfig } from '../../oci/parse-config.js';
import { digestOf } from '../../reference/digest.js';
import type { Selection } from '../../reference/image-ref.js';
import { quote } from '../../reference/invalid.js';
import { parseReference } from '../../reference/parse-reference.js';
import { printFamiliar, printImage } from '../../reference/print-image.js';
import { type ContentStore, readDocument, readFileRange } from '../content-store.js';
import { createOpening } from '../opening.js';
import type { ImageSource, ManifestResult, ReadOptions } from '../source.js';
import { makeManifest } from './make-manifest.js';
import { checkKind, openTarStore } from './tar-store.js';

interface SavedImage {
  config: string;
  tags: readonly string[];
  layers: readonly string[];
}

interface Opened {
  manifest: ManifestResult;
  /** Digest of the config and of each layer → path in the archive. */
  paths: ReadonlyMap<string, string>;
}

export interface DockerArchiveOptions {
  path: string;
  select: Selection;
  /** Printable transport and reference, and the path in them, where the path is not what the user named. */
  name?: string;
  named?: string;
  hint?: string | undefined;
}

/** Opens an archive; its tar headers are walked now. Throws as `openTarStore`, or CORRUPT_IMAGE. */
export async function openDockerArchive(options: DockerArchiveOptions): Promise<ImageSource> {
  const { path, named = path, select, hint } = options;
  const name = options.name ?? printImage({ transport: 'docker-archive', path, select });
  const store = await openTarStore(path, { named });
  await checkKind(store, { transport: 'docker-archive', path: named, name });
  // The layers' digests are needed to find them: they are made once, when first asked for.
  const openOnce = createOpening((read) => openImage(store, { name, select, read }));

  async function* read(
    descriptor: Descriptor,
    range: { start: number; end: number },
    options: ReadOptions,
  ): AsyncGenerator<Uint8Array> {
    const { paths } = await openOnce(options);
    const what = `blob ${descriptor.digest}`;
    const found = paths.get(descriptor.digest);
    if (found === undefined) {
      throw new ClipError('NOT_FOUND', `${what} is not in ${name}`, {
        hint: 'is this the archive of the same image?',
      });
    }
    yield* readFileRange(store, found, { ...range, size: descriptor.size }, { ...options, what });
  }

  return {
    name,
    hint,
    async manifest(digest, options = {}) {
      const { manifest } = await openOnce(options);
      if (digest === undefined || digest === manifest.digest) return manifest;
      throw new ClipError('NOT_FOUND', `the manifest ${digest} is not in ${name}`, {
        hint: 'an archive of docker save holds no manifests; name the image by its tag',
      });
    },
    blob: (descriptor, options = {}) =>
      read(descriptor, { start: options.offset ?? 0, end: descriptor.size }, options),
    range: (descriptor, { offset, length }, options = {}) =>
      read(descriptor, { start: offset, end: offset + length }, options),
    close: () => store.close(),
  };
}

async function openImage(
  store: ContentStore,
  options: { name: string; select: Selection; read: ReadOptions },
): Promise<Opened> {
  const { name, select, read } = options;
  const listing = await readDocument(store, 'manifest.json', {
    ...read,
    what: `the manifest.json of ${name}`,
  });
  const images = parseListing(listing);
  const how = { name, read, hashed: new Map() };
  if (select.digest === undefined) return openSaved(store, selectImage(images, select, name), how);
  for (const image of images) {
    const opened = await openSaved(store, image, how);
    if (opened.manifest.digest === select.digest) return opened;
  }
  throw notThere(images, select, name);
}

async function openSaved(
  store: ContentStore,
  image: SavedImage,
  { name, read, hashed }: { name: string; read: ReadOptions; hashed: Hashed },
): Promise<Opened> {
  const config = await readDocument(store, image.config, { ...read, what: `the config of ${name}` });
  const { diffIds } = parseConfig(config);
  if (diffIds.length !== image.layers.length) {
    throw corrupt(name, `names ${image.layers.length} layers, its config ${diffIds.length} diffIDs`);
  }
  const paths = new Map([[digestOf(config), image.config]]);
  const layers: Descriptor[] = [];
  for (const [i, path] of image.layers.entries()) {
    const layer = await describeLayer(store, path, { ...read, diffId: diffIds[i]!, hashed });
    layers.push(layer);
    paths.set(layer.digest, path);
  }
  return { manifest: makeManifest(config, layers), paths };
}

/** The digests of files that were hashed: an archive may name one many times, in one image and in many. */
type Hashed = Map<object, string>;

/** A plain layer's digest is its diffID. A compressed one (other tools write them) has to be hashed. */
async function describeLayer(
  store: ContentStore,
  path: string,
  options: ReadOptions & { diffId: string; hashed: Hashed },
): Promise<Descriptor> {
  const { diffId, hashed, ...read } = options;
  const what = `the layer ${quote(path)}`;
  const file = await store.open(path);
  if (file === undefined)
    throw new ClipError('NOT_FOUND', `${what} is missing`, { hint: 'the archive is incomplete' });
  const { size, identity = {} } = file;
  const head = new Uint8Array(Math.min(MAGIC_LENGTH, size));
  await file.read(head, 0);
  await file.close();
  const encoding = detectEncoding(head, true) ?? 'plain';
  const base = 'application/vnd.oci.image.layer.v1.tar';
  if (encoding === 'plain') return { mediaType: base, digest: diffId, size };
  const mediaType = `${base}+${encoding}`;
  // Where files are named by their content, as in an OCI layout, the name is the digest; who reads the layer checks it.
  const named = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(path);
  if (named !== null) return { mediaType, digest: `sha256:${named[1]}`, size };
  const known = hashed.get(identity);
  if (known !== undefined) return { mediaType, digest: known, size };
  const hash = createHash('sha256');
  for await (const chunk of readFileRange(store, path, { start: 0, end: size }, { ...read, what }))
    hash.update(chunk);
  const digest = `sha256:${hash.digest('hex')}`;
  hashed.set(identity, digest);
  return { mediaType, digest, size };
}

function parseListing(bytes: Uint8Array): SavedImage[] {
  const what = 'manifest.json';
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw corrupt(what, 'is not JSON');
  }
  return asArray(value, what, 4096).map((entry, i) => {
    const object = asObject(entry, `${what}[${i}]`);
    const texts = (key: string): string[] =>
      asArray(own(object, key) ?? [], `${what}[${i}].${key}`, 1024).map((text) =>
        asText(text, `${what}[${i}].${key}`),
      );
    return {
      config: asText(own(object, 'Config'), `${what}[${i}].Config`),
      tags: texts('RepoTags'),
      layers: texts('Layers'),
    };
  });
}

function selectImage(images: readonly SavedImage[], select: Selection, name: string): SavedImage {
  const image = findImage(images, select);
  if (image !== undefined) return image;
  throw notThere(images, select, name);
}

function notThere(images: readonly SavedImage[], select: Selection, name: string): ClipError {
  const listed = images.slice(0, 20).map(({ tags }, i) => tags[0] ?? `@${i}`);
  return new ClipError('NOT_FOUND', whatIsNotThere(images.length, select, name), {
    hint: `it has: ${listed.map((tag) => quote(tag).slice(1, -1)).join(', ')}; choose one with :NAME after the file`,
  });
}

function whatIsNotThere(count: number, select: Selection, name: string): string {
  if (select.digest !== undefined) return `no image in ${name} has that digest`;
  if (select.number !== undefined) return `${name} has no image number ${select.number}`;
  if (select.name !== undefined) return `there is no image ${quote(select.name)} in ${name}`;
  return count === 0 ? `${name} holds no image` : `${name} holds ${count} images`;
}

function findImage(images: readonly SavedImage[], { name, number }: Selection): SavedImage | undefined {
  if (number !== undefined) return images[number];
  if (name === undefined) return images.length === 1 ? images[0] : undefined;
  return images.find(({ tags }) => tags.some((tag) => sameName(tag, name)));
}

/** Tools write `debian:12` or `docker.io/library/debian:12`. */
function sameName(tag: string, name: string): boolean {
  try {
    return printFamiliar(parseReference(tag)) === name;
  } catch {
    return tag === name;
  }
}
