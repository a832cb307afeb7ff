/** The rows of docs/registries.md's fault matrix: what goes wrong, and how the test registry is told to do it. */

import type { Fault, LoggedRequest, TestRegistry } from './registry.js';

export type Hook = (request: LoggedRequest, number: number) => Fault | undefined;

export interface FaultRow {
  /** As in the first column of the matrix. */
  name: string;
  hook(registry: TestRegistry): Hook;
  /** The registry wants a token, or speaks TLS. */
  needs?: 'token' | 'tls';
}

const always = (fault: Fault) => (): Hook => () => fault;
/** Blobs, from the registry itself. */
const blobs = (fault: Fault) => (): Hook => (request) => (request.kind === 'blob' ? fault : undefined);
const ranges = (fault: Fault) => (): Hook => (request) =>
  request.kind === 'blob' && request.range !== undefined ? fault : undefined;
/** Goes wrong once, for the first request of each path. */
const once = (fault: Fault) => (): Hook => {
  const seen = new Set<string>();
  return ({ path }) => {
    if (seen.has(path)) return undefined;
    seen.add(path);
    return fault;
  };
};
const status = (code: number, headers: Record<string, string> = {}): Fault => ({
  kind: 'status',
  status: code,
  headers,
});
const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i % 997 === 500 ? byte ^ 1 : byte));

export const FAULTS: readonly FaultRow[] = [
  { name: 'none', hook: () => () => undefined },
  { name: 'answers come late', hook: always({ kind: 'delay', milliseconds: 60 }) },
  { name: 'connection closed before the headers, once', hook: once({ kind: 'drop', after: 0 }) },
  { name: 'connection closed before the headers, always', hook: always({ kind: 'drop', after: 0 }) },
  { name: 'connection closed in mid-body, once', hook: once({ kind: 'drop', after: 300 }) },
  { name: 'blobs: connection closed each 70 kB', hook: blobs({ kind: 'drop', after: 70_000 }) },
  { name: 'blobs: connection closed each 100 bytes', hook: blobs({ kind: 'drop', after: 100 }) },
  { name: 'no headers come, once', hook: once({ kind: 'stall', after: 'headers' }) },
  { name: 'no headers come, ever', hook: always({ kind: 'stall', after: 'headers' }) },
  { name: 'the body stalls, once', hook: once({ kind: 'stall', after: 200 }) },
  { name: 'blobs: the body stalls, always', hook: blobs({ kind: 'stall', after: 200 }) },
  { name: 'a chunked body that ends early, once', hook: once({ kind: 'truncate', after: 100 }) },
  { name: 'blobs: chunked bodies that end at once, always', hook: blobs({ kind: 'truncate', after: 0 }) },
  { name: 'blobs: endless bodies', hook: blobs({ kind: 'endless' }) },
  {
    name: 'manifests: endless bodies',
    hook:
      () =>
      ({ kind }) =>
        kind === 'manifest' ? { kind: 'endless' } : undefined,
  },
  { name: 'chunked bodies without Content-Length', hook: always({ kind: 'chunked' }) },
  {
    name: 'blobs: a Content-Length that is too small',
    hook: blobs({ kind: 'headers', headers: { 'content-length': '7' } }),
  },
  {
    name: 'blobs: cut to half, with a Content-Length that says so',
    hook: blobs({ kind: 'body', change: (body) => body.subarray(0, body.length >> 1) }),
  },
  { name: '200 and the whole blob to a Range', hook: ranges({ kind: 'ignore-range' }) },
  { name: 'another range: one byte later', hook: ranges({ kind: 'shift-range', by: 1 }) },
  { name: 'another range: one byte earlier', hook: ranges({ kind: 'shift-range', by: -1 }) },
  { name: 'a shorter range', hook: ranges({ kind: 'short-range', length: 50_000 }) },
  {
    name: '206 without Content-Range',
    hook: ranges({ kind: 'headers', headers: { 'content-range': undefined } }),
  },
  {
    name: '206 with a Content-Range of another unit',
    hook: ranges({ kind: 'headers', headers: { 'content-range': 'items 0-1/2' } }),
  },
  {
    name: '206 as multipart/byteranges',
    hook: ranges({
      kind: 'headers',
      headers: { 'content-range': undefined, 'content-type': 'multipart/byteranges; boundary=x' },
    }),
  },
  {
    name: '206 of a blob of another size',
    hook: ranges({ kind: 'headers', headers: { 'content-range': 'bytes 0-99/100' } }),
  },
  { name: '416 to a Range', hook: ranges(status(416)) },
  {
    name: 'HEAD refused',
    hook:
      () =>
      ({ method }) =>
        method === 'HEAD' ? status(403) : undefined,
  },
  {
    name: 'a wrong Content-Type',
    hook: always({ kind: 'headers', headers: { 'content-type': 'text/html' } }),
  },
  {
    name: 'a Docker-Content-Digest that lies',
    hook: always({ kind: 'headers', headers: { 'docker-content-digest': `sha256:${'0'.repeat(64)}` } }),
  },
  {
    name: 'blobs: Content-Encoding gzip',
    hook: blobs({ kind: 'headers', headers: { 'content-encoding': 'gzip' } }),
  },
  { name: 'blobs: flipped bits', hook: blobs({ kind: 'body', change: flip }) },
  {
    name: 'manifests: not JSON',
    hook:
      () =>
      ({ kind }) =>
        kind === 'manifest' ? { kind: 'body', change: () => Buffer.from('<html>') } : undefined,
  },
  { name: 'status 401 without a challenge', hook: always(status(401)) },
  { name: 'status 403', hook: always(status(403)) },
  { name: 'status 404', hook: always(status(404)) },
  { name: 'status 429 with Retry-After, once', hook: once(status(429, { 'retry-after': '0' })) },
  { name: 'status 429, always', hook: always(status(429, { 'retry-after': '0' })) },
  { name: 'status 429 with Retry-After of an hour', hook: always(status(429, { 'retry-after': '3600' })) },
  { name: 'status 500, once', hook: once(status(500)) },
  { name: 'status 503, always', hook: always(status(503)) },
  { name: 'status 418', hook: always(status(418)) },
  { name: 'blobs: redirected to another host', hook: blobs({ kind: 'redirect', to: 'store' }) },
  {
    name: 'blobs: presigned URLs that run out before they are used',
    hook: (registry) => {
      let stores = 0;
      return ({ kind }) => {
        if (kind === 'store' && ++stores % 7 === 2) registry.expireStore();
        return kind === 'blob' ? { kind: 'redirect', to: 'store' } : undefined;
      };
    },
  },
  {
    name: 'blobs: a redirect to itself',
    hook:
      () =>
      ({ kind, path }) =>
        kind === 'blob' ? { kind: 'redirect', to: path } : undefined,
  },
  {
    name: 'blobs: redirects without end',
    hook:
      () =>
      ({ kind }, number) =>
        kind === 'blob' || kind === 'other' ? { kind: 'redirect', to: `/elsewhere/${number}` } : undefined,
  },
  { name: 'blobs: a redirect to a file', hook: blobs({ kind: 'redirect', to: 'file:///etc/passwd' }) },
  { name: 'no HTTP at all', hook: always({ kind: 'garbage', bytes: 'SSH-2.0-OpenSSH\r\n\r\n' }) },
  {
    name: 'tokens that run out in mid-read',
    needs: 'token',
    hook: (registry) => (_, number) => {
      if (number === 3 || number % 12 === 11) registry.auth.revoke();
      return undefined;
    },
  },
  {
    name: 'a token server that is down',
    needs: 'token',
    hook:
      () =>
      ({ kind }) =>
        kind === 'token' ? status(503) : undefined,
  },
  {
    name: 'a token server that refuses',
    needs: 'token',
    hook:
      () =>
      ({ kind }) =>
        kind === 'token' ? status(401) : undefined,
  },
  {
    name: 'a token server that gives none',
    needs: 'token',
    hook:
      () =>
      ({ kind }) =>
        kind === 'token' ? { kind: 'status', status: 200, body: '{}' } : undefined,
  },
  { name: 'TLS cut off in mid-body, once', needs: 'tls', hook: once({ kind: 'drop', after: 300 }) },
  { name: 'blobs: TLS cut off each 100 bytes', needs: 'tls', hook: blobs({ kind: 'drop', after: 100 }) },
  {
    name: 'blobs: redirected from HTTPS to HTTP',
    needs: 'tls',
    hook: blobs({ kind: 'redirect', to: 'http://127.0.0.1:1/x' }),
  },
];
