/** What a test registry holds, and its honest answers to pull and push (distribution-spec 1.1). */

import { createHash, randomUUID } from 'node:crypto';
import { json } from './registry-auth.js';
import type { Reply } from './registry-faults.js';

export interface StoredManifest {
  bytes: Uint8Array;
  mediaType: string;
}

export interface RegistryStore {
  blobs: Map<string, Uint8Array>;
  /** Repository → digest or tag → manifest. */
  manifests: Map<string, Map<string, StoredManifest>>;
  uploads: Map<string, Uint8Array>;
  referrers: ReferrersApi;
}

/** How the registry answers `GET /v2/<name>/referrers/<digest>` (distribution-spec 1.1); `none`: as one that knows no such thing. */
export type ReferrersApi = 'none' | { filter: boolean; pageSize: number };

export interface StoreRequest {
  method: string;
  url: URL;
  range: string | undefined;
  contentType: string | undefined;
  ifMatch?: string | undefined;
  body: Uint8Array;
}

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export function putManifest(
  store: RegistryStore,
  where: { repository: string; tag?: string },
  manifest: StoredManifest,
): string {
  const digest = sha256(manifest.bytes);
  const named = store.manifests.get(where.repository) ?? new Map<string, StoredManifest>();
  store.manifests.set(where.repository, named);
  named.set(digest, manifest);
  if (where.tag !== undefined) named.set(where.tag, manifest);
  return digest;
}

/** The honest answer to a request below `/v2/`. */
export function answer(store: RegistryStore, request: StoreRequest): Reply {
  const path = request.url.pathname;
  if (path === '/v2/') return json(200, {});
  const match = /^\/v2\/(.+?)\/(manifests|blobs|tags|referrers)\/(.*)$/.exec(path);
  if (match === null) return failure(404, 'NAME_UNKNOWN', 'repository name not known');
  const [, repository, kind, rest] = match as unknown as [string, string, string, string];
  switch (kind) {
    case 'manifests':
      return manifests(store, request, { repository, reference: rest });
    case 'blobs':
      if (rest === 'uploads/' || rest.startsWith('uploads/')) return upload(store, request, repository);
      return blob(store.blobs.get(rest), request);
    case 'tags': {
      const names = [...(store.manifests.get(repository)?.keys() ?? [])].filter(
        (name) => !name.includes(':'),
      );
      return json(200, { name: repository, tags: names });
    }
    default:
      return referrers(store, request, { repository, subject: rest });
  }
}

function manifests(
  store: RegistryStore,
  request: StoreRequest,
  where: { repository: string; reference: string },
): Reply {
  if (request.method === 'PUT') {
    const manifest = { bytes: request.body, mediaType: request.contentType ?? '' };
    const tag = where.reference.includes(':') ? {} : { tag: where.reference };
    const before = store.manifests.get(where.repository)?.get(where.reference);
    const etag = before && `"${sha256(before.bytes)}"`;
    if (request.ifMatch !== undefined && request.ifMatch !== etag)
      return failure(412, 'MANIFEST_INVALID', 'it has changed');
    const digest = putManifest(store, { repository: where.repository, ...tag }, manifest);
    const { subject } = JSON.parse(Buffer.from(request.body).toString()) as { subject?: { digest: string } };
    const known = subject !== undefined && store.referrers !== 'none';
    return {
      status: 201,
      headers: {
        location: request.url.pathname,
        'docker-content-digest': digest,
        ...(known ? { 'oci-subject': subject.digest } : {}),
      },
      body: empty,
    };
  }
  const manifest = store.manifests.get(where.repository)?.get(where.reference);
  if (manifest === undefined) return failure(404, 'MANIFEST_UNKNOWN', 'manifest unknown');
  const digest = sha256(manifest.bytes);
  const headers = {
    'content-type': manifest.mediaType,
    'docker-content-digest': digest,
    etag: `"${digest}"`,
  };
  return { status: 200, headers, body: manifest.bytes };
}

/** A blob or a part of it. Serves the store that blobs are redirected to as well. */
export function blob(bytes: Uint8Array | undefined, request: { range: string | undefined }): Reply {
  if (bytes === undefined) return failure(404, 'BLOB_UNKNOWN', 'blob unknown to registry');
  const headers = { 'content-type': 'application/octet-stream', 'accept-ranges': 'bytes' };
  const match = /^bytes=([0-9]+)-([0-9]*)$/.exec(request.range ?? '');
  if (match === null) return { status: 200, headers, body: bytes };
  const first = Number(match[1]);
  const last = Math.min(match[2] === '' ? bytes.length - 1 : Number(match[2]), bytes.length - 1);
  if (first > last) {
    return { status: 416, headers: { 'content-range': `bytes */${bytes.length}` }, body: empty };
  }
  return {
    status: 206,
    headers: { ...headers, 'content-range': `bytes ${first}-${last}/${bytes.length}` },
    body: bytes.subarray(first, last + 1),
  };
}

function upload(store: RegistryStore, request: StoreRequest, repository: string): Reply {
  const mount = request.url.searchParams.get('mount');
  const digest = request.url.searchParams.get('digest');
  const location = (id: string): string => `/v2/${repository}/blobs/uploads/${id}`;
  if (request.method === 'POST') {
    if (mount !== null && store.blobs.has(mount)) {
      return { status: 201, headers: { location: `/v2/${repository}/blobs/${mount}` }, body: empty };
    }
    if (digest !== null) return finishUpload(store, { repository, digest, bytes: request.body });
    const id = randomUUID();
    store.uploads.set(id, empty);
    return { status: 202, headers: { location: location(id) }, body: empty };
  }
  const id = request.url.pathname.split('/').at(-1)!;
  const sofar = store.uploads.get(id);
  if (sofar === undefined) return failure(404, 'BLOB_UPLOAD_UNKNOWN', 'upload unknown');
  const bytes = Buffer.concat([sofar, request.body]);
  if (request.method === 'PATCH') {
    store.uploads.set(id, bytes);
    return { status: 202, headers: { location: location(id), range: `0-${bytes.length - 1}` }, body: empty };
  }
  store.uploads.delete(id);
  return finishUpload(store, { repository, digest: digest ?? '', bytes });
}

function finishUpload(
  store: RegistryStore,
  blob: { repository: string; digest: string; bytes: Uint8Array },
): Reply {
  if (sha256(blob.bytes) !== blob.digest)
    return failure(400, 'DIGEST_INVALID', 'provided digest did not match');
  store.blobs.set(blob.digest, blob.bytes);
  return { status: 201, headers: { location: `/v2/${blob.repository}/blobs/${blob.digest}` }, body: empty };
}

function referrers(
  store: RegistryStore,
  { url }: StoreRequest,
  { repository, subject }: { repository: string; subject: string },
): Reply {
  if (store.referrers === 'none')
    return {
      status: 404,
      headers: { 'content-type': 'text/plain' },
      body: Buffer.from('404 page not found'),
    };
  const found = [...(store.manifests.get(repository) ?? [])].flatMap(([name, { bytes, mediaType }]) => {
    const document = JSON.parse(Buffer.from(bytes).toString()) as {
      subject?: { digest: string };
      artifactType?: string;
      config?: { mediaType: string };
      annotations?: Record<string, string>;
    };
    if (!name.includes(':') || document.subject?.digest !== subject) return [];
    const artifactType = document.artifactType ?? document.config?.mediaType;
    return [{ mediaType, digest: name, size: bytes.length, artifactType, annotations: document.annotations }];
  });
  const { filter, pageSize } = store.referrers;
  const wanted = filter ? url.searchParams.get('artifactType') : null;
  const listed = found.filter(({ artifactType }) => wanted === null || artifactType === wanted);
  const first = Number(url.searchParams.get('from') ?? 0);
  const next = new URL(url);
  next.searchParams.set('from', String(first + pageSize));
  const type = 'application/vnd.oci.image.index.v1+json';
  const manifests = listed.slice(first, first + pageSize);
  return json(
    200,
    { schemaVersion: 2, mediaType: type, manifests },
    {
      'content-type': type,
      ...(wanted === null ? {} : { 'oci-filters-applied': 'artifactType' }),
      ...(first + pageSize < listed.length ? { link: `<${next.pathname}${next.search}>; rel="next"` } : {}),
    },
  );
}

function failure(status: number, code: string, message: string): Reply {
  return json(status, { errors: [{ code, message }] });
}

const empty = new Uint8Array(0);
