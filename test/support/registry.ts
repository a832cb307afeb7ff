/**
 * An embedded registry for tests: pull and push done honestly, logins, TLS, and faults on demand.
 *
 *   const registry = await startTestRegistry();                 // plain HTTP on 127.0.0.1
 *   t.after(() => registry.stop());
 *   await registry.addLayout('demo/app', 'fixtures/x', 'latest'); // everything that the layout's index.json reaches
 *   registry.onRequest((request) => request.kind === 'blob' ? { kind: 'drop', after: 1000 } : undefined);
 *   … read `${registry.host}/demo/app:latest` …
 *   registry.log                                                 // every request: method, path, range, status, bytes sent
 *
 * `onRequest` is called for each request; what it returns goes wrong (see `Fault`), undefined means an honest answer. Redirects
 * to `store` lead to a second server on another port that refuses an Authorization header, as object stores do.
 */

import { readFile } from 'node:fs/promises';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type AuthServer, createAuthServer, json, type RegistryAuth } from './registry-auth.js';
import { type Fault, type Reply, sendReply } from './registry-faults.js';
import {
  answer,
  blob,
  putManifest,
  type ReferrersApi,
  type RegistryStore,
  sha256,
} from './registry-store.js';

export type { RegistryAuth } from './registry-auth.js';
export type { Fault } from './registry-faults.js';

export interface LoggedRequest {
  method: string;
  /** Path and query. */
  path: string;
  kind: 'ping' | 'manifest' | 'blob' | 'token' | 'store' | 'other';
  range: string | undefined;
  authorization: string | undefined;
  /** 0 while the answer is not begun, or when there was none. */
  status: number;
  /** Body bytes handed to the connection. */
  sent: number;
}

export interface TestRegistry {
  /** `127.0.0.1:PORT`, to put before a repository. */
  host: string;
  origin: string;
  log: LoggedRequest[];
  auth: AuthServer;
  /** Names the fault of each request from now on; undefined makes the registry honest again. */
  onRequest(hook: ((request: LoggedRequest, number: number) => Fault | undefined) | undefined): void;
  /** Presigned URLs that were given out are refused from now on. */
  expireStore(): void;
  addBlob(bytes: Uint8Array): string;
  /** What is stored, to look at and to damage. */
  store: Pick<RegistryStore, 'blobs' | 'manifests'>;
  /** Returns the digest. */
  addManifest(
    repository: string,
    tag: string | undefined,
    manifest: object | Uint8Array,
    mediaType?: string,
  ): string;
  /** Adds what a layout holds: each manifest of index.json (nested too) and each blob. `tag` names the first manifest. */
  addLayout(repository: string, directory: string, tag: string): Promise<string>;
  stop(): Promise<void>;
}

export interface TestRegistryOptions {
  auth?: RegistryAuth;
  /** HTTPS with this key and certificate (PEM); see `makeCertificate`. */
  tls?: { key: string; cert: string; ca?: string; requestCert?: boolean; rejectUnauthorized?: boolean };
  /** Default 127.0.0.1. */
  address?: '127.0.0.1' | '::1';
  /** The referrers API: `none` is a registry of before distribution-spec 1.1. Default: filters, 100 to a page. */
  referrers?: ReferrersApi;
}

const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

export async function startTestRegistry(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const store: RegistryStore = {
    blobs: new Map(),
    manifests: new Map(),
    uploads: new Map(),
    referrers: options.referrers ?? { filter: true, pageSize: 100 },
  };
  const auth = createAuthServer(options.auth);
  const log: LoggedRequest[] = [];
  let hook: ((request: LoggedRequest, number: number) => Fault | undefined) | undefined;
  let storeKey = 1;
  const listen = (listener: RequestListener): Promise<Server> => listenOn(listener, options);
  const scheme = options.tls === undefined ? 'http' : 'https';

  const main = await listen((request, response) => void serve(request, response, false));
  const blobStore = await listen((request, response) => void serve(request, response, true));
  const name = options.address === '::1' ? '[::1]' : '127.0.0.1';
  const origin = `${scheme}://${name}:${(main.address() as AddressInfo).port}`;
  const storeOrigin = `${scheme}://${name}:${(blobStore.address() as AddressInfo).port}`;

  async function serve(request: IncomingMessage, response: ServerResponse, isStore: boolean): Promise<void> {
    const url = new URL(request.url ?? '/', isStore ? storeOrigin : origin);
    const entry = logEntry(request, url, isStore);
    log.push(entry);
    const body = await readAll(request);
    const fault = hook?.(entry, log.length - 1);
    const reply = faultyReply(fault, () =>
      isStore ? storeReply(url, entry) : honestReply({ request, url, entry, body }),
    );
    entry.status = reply.status;
    if (entry.method === 'HEAD') reply.headers['content-length'] ??= String(reply.body.length);
    entry.sent = await sendReply(response, reply, fault);

    function faultyReply(what: Fault | undefined, honest: () => Reply): Reply {
      switch (what?.kind) {
        case 'status':
          return { status: what.status, headers: what.headers ?? {}, body: Buffer.from(what.body ?? '') };
        case 'redirect': {
          const to = what.to === 'store' ? presigned(url) : what.to;
          return { status: what.status ?? 307, headers: { location: to }, body: new Uint8Array(0) };
        }
        case 'ignore-range':
          return withRange(undefined, honest);
        case 'shift-range': {
          const [first = 0, last = 0] = asked(entry.range);
          return withRange(`bytes=${first + what.by}-${last + what.by}`, honest);
        }
        case 'short-range': {
          const [first = 0, last = 0] = asked(entry.range);
          return withRange(`bytes=${first}-${Math.min(last, first + what.length - 1)}`, honest);
        }
        default:
          return honest();
      }
    }

    /** The honest answer to another range than was asked for; the log keeps what was asked. */
    function withRange(range: string | undefined, honest: () => Reply): Reply {
      const kept = entry.range;
      entry.range = range;
      const reply = honest();
      entry.range = kept;
      return reply;
    }
  }

  function honestReply(parts: {
    request: IncomingMessage;
    url: URL;
    entry: LoggedRequest;
    body: Uint8Array;
  }): Reply {
    const { request, url, entry, body } = parts;
    const { authorization } = entry;
    if (entry.kind === 'token') {
      return auth.token({ method: entry.method, url, authorization, body: Buffer.from(body).toString() });
    }
    const repository = /^\/v2\/(.+?)\/(?:manifests|blobs|tags|referrers)\//.exec(url.pathname)?.[1] ?? '';
    const actions = entry.method === 'GET' || entry.method === 'HEAD' ? 'pull' : 'pull,push';
    const refused = auth.check(authorization, { origin, scope: `repository:${repository}:${actions}` });
    if (refused !== undefined) return refused;
    const contentType = request.headers['content-type'];
    const ifMatch = request.headers['if-match'];
    return answer(store, { method: entry.method, url, range: entry.range, contentType, ifMatch, body });
  }

  function storeReply(url: URL, entry: LoggedRequest): Reply {
    if (entry.authorization !== undefined) return json(400, { error: 'only one auth mechanism allowed' });
    if (url.searchParams.get('X-Amz-Signature') !== `secret-${storeKey}`)
      return json(403, { error: 'expired' });
    return blob(store.blobs.get(url.pathname.slice(1)), entry);
  }

  function presigned(url: URL): string {
    return `${storeOrigin}/${url.pathname.split('/').at(-1)}?X-Amz-Signature=secret-${storeKey}`;
  }

  function addBlob(bytes: Uint8Array): string {
    const digest = sha256(bytes);
    store.blobs.set(digest, bytes);
    return digest;
  }

  return {
    host: new URL(origin).host,
    origin,
    log,
    auth,
    onRequest: (next) => {
      hook = next;
    },
    expireStore: () => {
      storeKey++;
    },
    addBlob,
    store,
    addManifest(repository, tag, manifest, mediaType = OCI_MANIFEST) {
      const bytes = manifest instanceof Uint8Array ? manifest : Buffer.from(JSON.stringify(manifest));
      return putManifest(store, { repository, ...(tag === undefined ? {} : { tag }) }, { bytes, mediaType });
    },
    async addLayout(repository, directory, tag) {
      const index = JSON.parse(await readFile(join(directory, 'index.json'), 'utf8')) as Linked;
      for (const entry of index.manifests ?? []) await addLinked(entry);
      const first = index.manifests?.[0]?.digest ?? '';
      const manifest = store.manifests.get(repository)?.get(first);
      if (manifest !== undefined) putManifest(store, { repository, tag }, manifest);
      return first;

      async function addLinked(descriptor: Link): Promise<void> {
        const bytes = await readFile(join(directory, 'blobs', ...descriptor.digest.split(':')));
        if (!/manifest|index/.test(descriptor.mediaType)) {
          store.blobs.set(descriptor.digest, bytes);
          return;
        }
        putManifest(store, { repository }, { bytes, mediaType: descriptor.mediaType });
        const { config, layers = [], manifests = [] } = JSON.parse(bytes.toString()) as Linked;
        for (const link of [...(config === undefined ? [] : [config]), ...layers, ...manifests])
          await addLinked(link);
      }
    },
    async stop() {
      for (const server of [main, blobStore]) {
        server.closeAllConnections();
        await new Promise<void>((resolve) => server.close(() => resolve()));
      }
    },
  };
}

interface Link {
  mediaType: string;
  digest: string;
}

interface Linked {
  config?: Link;
  layers?: Link[];
  manifests?: Link[];
}

function asked(range: string | undefined): number[] {
  return [.../^bytes=([0-9]+)-([0-9]+)$/.exec(range ?? '')!.slice(1)].map(Number);
}

function logEntry(request: IncomingMessage, url: URL, isStore: boolean): LoggedRequest {
  return {
    method: request.method ?? 'GET',
    path: url.pathname + url.search,
    kind: isStore ? 'store' : kindOf(url.pathname),
    range: request.headers.range,
    authorization: request.headers.authorization,
    status: 0,
    sent: 0,
  };
}

function kindOf(path: string): LoggedRequest['kind'] {
  if (path === '/v2/') return 'ping';
  if (path === '/token') return 'token';
  if (/^\/v2\/.+\/manifests\/[^/]+$/.test(path)) return 'manifest';
  return /^\/v2\/.+\/blobs\/[^/]+$/.test(path) ? 'blob' : 'other';
}

async function readAll(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

async function listenOn(listener: RequestListener, options: TestRegistryOptions): Promise<Server> {
  const { tls, address = '127.0.0.1' } = options;
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  return server as Server;
}
