import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ClipError, type ErrorCode, isClipError } from '../../src/errors.js';
import { type ConnectionOptions, DEFAULT_CONNECTION } from '../../src/http/options.js';
import type { ClipEvent } from '../../src/observer.js';
import { parseImage } from '../../src/reference/parse-image.js';
import { openSource } from '../../src/source/open.js';
import { resolveImage } from '../../src/source/resolve-image.js';
import type { ImageSource } from '../../src/source/source.js';
import { type Fault, type LoggedRequest, startTestRegistry, type TestRegistry } from '../support/registry.js';
import { addTestImage, collect, makeTestImage, noise } from '../support/test-image.js';

const CONNECTION: ConnectionOptions = {
  ...DEFAULT_CONNECTION,
  connectTimeout: 2000,
  headersTimeout: 400,
  idleTimeout: 400,
  retryDelay: 5,
};
const LAYER = noise(600_000);
const IMAGE = makeTestImage([LAYER]);
const DESCRIPTOR = IMAGE.layers[0]!.descriptor;
const RANGE = { offset: 100_000, length: 200_000 };

interface Setup {
  registry: TestRegistry;
  source: ImageSource;
  events: ClipEvent[];
  range(range?: { offset: number; length: number }): Promise<Buffer>;
  blob(offset?: number): Promise<Buffer>;
}

async function setUp(t: TestContext, connection: Partial<ConnectionOptions> = {}): Promise<Setup> {
  const registry = await startTestRegistry();
  addTestImage(registry, 'a/b', 'v', IMAGE);
  const image = parseImage(`${registry.host}/a/b:v`);
  const source = await openSource(image, { connection: { ...CONNECTION, ...connection }, offline: false });
  t.after(async () => {
    await source.close();
    await registry.stop();
  });
  const events: ClipEvent[] = [];
  const observer = { emit: (event: ClipEvent) => void events.push(event) };
  return {
    registry,
    source,
    events,
    range: (range = RANGE) => collect(source.range(DESCRIPTOR, range, { observer })),
    blob: (offset = 0) => collect(source.blob(DESCRIPTOR, { offset, observer })),
  };
}

const slice = ({ offset, length } = RANGE): Buffer => Buffer.from(LAYER.subarray(offset, offset + length));
const onBlob = (fault: Fault | undefined, times = Number.POSITIVE_INFINITY) => {
  let left = times;
  return (request: LoggedRequest): Fault | undefined =>
    request.kind === 'blob' && left-- > 0 ? fault : undefined;
};
const fetched = (events: ClipEvent[]): number =>
  events.reduce((sum, event) => sum + (event.type === 'fetched' ? event.bytes : 0), 0);
const code =
  (wanted: ErrorCode, message = /./) =>
  (error: unknown) => {
    assert.ok(error instanceof ClipError, String(error));
    assert.equal(error.code, wanted, error.message);
    assert.match(error.message, message);
    assert.ok(error.hint, error.message);
    return true;
  };

test('an open registry: one request for a range, no ping, no manifest', async (t) => {
  const { registry, range, events } = await setUp(t);
  assert.deepEqual(await range(), slice());
  assert.deepEqual(await range({ offset: 0, length: 10 }), slice({ offset: 0, length: 10 }));
  assert.equal(registry.log.length, 2);
  assert.deepEqual(
    registry.log.map(({ kind, range }) => [kind, range]),
    [
      ['blob', 'bytes=100000-299999'],
      ['blob', 'bytes=0-9'],
    ],
  );
  assert.equal(events.filter(({ type }) => type === 'request').length, 2);
  assert.equal(fetched(events), 200_010);
});

test('a whole blob is one request without Range; an empty range none', async (t) => {
  const { registry, blob, range } = await setUp(t);
  assert.deepEqual(await blob(), Buffer.from(LAYER));
  assert.equal((await range({ offset: 5, length: 0 })).length, 0);
  assert.equal(registry.log.length, 1);
  assert.equal(registry.log[0]?.range, undefined);
  assert.deepEqual(await blob(599_990), Buffer.from(LAYER.subarray(599_990)));
});

test('a transfer that breaks goes on where it broke', async (t) => {
  const { registry, blob, range, events } = await setUp(t);
  registry.onRequest(onBlob({ kind: 'drop', after: 250_000 }, 1));
  assert.deepEqual(await blob(), Buffer.from(LAYER));
  assert.match(registry.log[1]?.range ?? '', /^bytes=[0-9]+-599999$/);
  // What the first connection brought was used, not fetched again.
  assert.ok(fetched(events) === LAYER.length, `${fetched(events)}`);
  registry.onRequest(onBlob({ kind: 'stall', after: 100_000 }, 1));
  assert.deepEqual(await range(), slice());
  registry.onRequest(onBlob({ kind: 'truncate', after: 100_000 }, 1));
  assert.deepEqual(await range(), slice());
  assert.deepEqual(await blob(), Buffer.from(LAYER));
});

test('a connection that breaks again and again with progress is followed to the end, without progress given up', async (t) => {
  const { registry, blob, range } = await setUp(t);
  registry.onRequest(onBlob({ kind: 'drop', after: 70_000 }));
  assert.deepEqual(await blob(), Buffer.from(LAYER));
  registry.log.length = 0;
  registry.onRequest(onBlob({ kind: 'drop', after: 100 }));
  await assert.rejects(range(), code('NETWORK', /cut off|reset|early/));
  assert.equal(registry.log.length, 3);
});

test('ranges of which a byte comes at a time: the blob is read without them', async (t) => {
  const { registry, range, events } = await setUp(t);
  registry.onRequest(({ range }) => (range ? { kind: 'short-range', length: 1 } : undefined));
  assert.deepEqual(await range(), slice());
  assert.equal(registry.log.length, 4);
  assert.equal(events.filter(({ type }) => type === 'warning').length, 1);
  // Neighbours that are large enough are no fault.
  const patient = await setUp(t);
  patient.registry.onRequest(onBlob({ kind: 'short-range', length: 70_000 }));
  assert.deepEqual(await patient.range(), slice());
  assert.equal(patient.registry.log.length, 3);
});

test('answers that trickle are not waited for: interim ones, documents, refusals, redirects', async (t) => {
  const { registry, source, range } = await setUp(t, { tries: 1, idleTimeout: 200 });
  const started = performance.now();
  registry.onRequest(() => ({ kind: 'interim' }));
  await assert.rejects(source.manifest(undefined), code('TIMEOUT', /no answer came/));
  registry.onRequest(() => ({ kind: 'drip', status: 200 }));
  await assert.rejects(source.manifest(undefined), code('TIMEOUT', /too slowly/));
  registry.onRequest(() => ({ kind: 'drip', status: 404 }));
  await assert.rejects(source.manifest(undefined), code('NOT_FOUND'));
  let first = true;
  registry.onRequest(({ kind, path }) => {
    if (kind !== 'blob' || !first) return undefined;
    first = false;
    return { kind: 'drip', status: 307, headers: { location: `${path}?again=1` } };
  });
  assert.deepEqual(await range(), slice());
  assert.ok(performance.now() - started < 15_000);
});

test('bytes that come one at a time are whole in the end', async (t) => {
  const { registry, source, range } = await setUp(t);
  registry.onRequest(() => ({ kind: 'crumbs' }));
  const { bytes } = await source.manifest(undefined);
  assert.deepEqual(Buffer.from(bytes), Buffer.from(IMAGE.manifest));
  assert.deepEqual(await range({ offset: 5, length: 20_000 }), slice({ offset: 5, length: 20_000 }));
});

const rightBytes: [string, Fault, requests: number][] = [
  ['200 to a range', { kind: 'ignore-range' }, 1],
  ['a range that begins elsewhere', { kind: 'shift-range', by: 1 }, 2],
  ['a range that begins earlier', { kind: 'shift-range', by: -1000 }, 2],
  ['a shorter range', { kind: 'short-range', length: 80_000 }, 3],
  ['206 without Content-Range', { kind: 'headers', headers: { 'content-range': undefined } }, 2],
  [
    '206 with a Content-Range of another unit',
    { kind: 'headers', headers: { 'content-range': 'items 0-1/2' } },
    2,
  ],
  [
    '206 of several parts',
    {
      kind: 'headers',
      headers: { 'content-range': undefined, 'content-type': 'multipart/byteranges; boundary=x' },
    },
    2,
  ],
  ['206 with a total of *', { kind: 'headers', headers: { 'content-range': 'bytes 100000-299999/*' } }, 1],
  ['no Content-Length', { kind: 'chunked' }, 1],
  ['an endless body', { kind: 'endless' }, 1],
  ['a wrong Content-Type', { kind: 'headers', headers: { 'content-type': 'text/html' } }, 1],
  ['a lying digest header', { kind: 'headers', headers: { 'docker-content-digest': 'sha256:0' } }, 1],
];
for (const [name, fault, requests] of rightBytes) {
  test(`right bytes in spite of ${name}`, async (t) => {
    const { registry, range } = await setUp(t);
    registry.onRequest((request) =>
      request.kind === 'blob' && request.range !== undefined ? fault : undefined,
    );
    assert.deepEqual(await range(), slice());
    assert.equal(registry.log.length, requests);
  });
}

test('ranges that are ignored are remembered, said once, and no more is read than needed', async (t) => {
  const { registry, range, events } = await setUp(t);
  registry.onRequest(onBlob({ kind: 'ignore-range' }));
  assert.deepEqual(await range(), slice());
  assert.deepEqual(await range({ offset: 0, length: 1000 }), slice({ offset: 0, length: 1000 }));
  assert.deepEqual(
    registry.log.map(({ range }) => range),
    ['bytes=100000-299999', undefined],
  );
  const warnings = events.filter((event) => event.type === 'warning');
  assert.deepEqual(
    warnings.map((event) => event.type === 'warning' && event.code),
    ['RANGE_IGNORED'],
  );
});

test('416 for a range inside the blob: read from the start', async (t) => {
  const { registry, range } = await setUp(t);
  registry.onRequest((request) =>
    request.range === undefined ? undefined : { kind: 'status', status: 416 },
  );
  assert.deepEqual(await range(), slice());
  assert.equal(registry.log.length, 2);
});

const failures: [string, Fault, ErrorCode, RegExp, requests: number][] = [
  ['no answer', { kind: 'stall', after: 'headers' }, 'TIMEOUT', /no answer/, 3],
  ['a stall in mid-body', { kind: 'stall', after: 10 }, 'TIMEOUT', /stalled/, 3],
  ['a body that always ends early', { kind: 'truncate', after: 0 }, 'NETWORK', /early/, 3],
  ['404', { kind: 'status', status: 404 }, 'NOT_FOUND', /blob sha256:.* not found/, 1],
  ['403', { kind: 'status', status: 403 }, 'DENIED', /access denied/, 1],
  ['400', { kind: 'status', status: 400 }, 'REGISTRY', /status 400/, 2],
  ['500', { kind: 'status', status: 500 }, 'REGISTRY', /status 500/, 3],
  ['503', { kind: 'status', status: 503 }, 'REGISTRY', /status 503/, 3],
  [
    '429',
    { kind: 'status', status: 429, headers: { 'retry-after': '0' } },
    'REGISTRY',
    /too many requests/,
    3,
  ],
  [
    '429 for long',
    { kind: 'status', status: 429, headers: { 'retry-after': '3600' } },
    'REGISTRY',
    /too many/,
    1,
  ],
  ['204', { kind: 'status', status: 204 }, 'REGISTRY', /status 204/, 1],
  ['a redirect loop', { kind: 'redirect', to: '/v2/a/b/blobs/x?y=1' }, 'REGISTRY', /loop/, 2],
  [
    'a redirect without TLS to a file',
    { kind: 'redirect', to: 'file:///etc/passwd' },
    'REGISTRY',
    /"file:"/,
    1,
  ],
  ['an invalid redirect', { kind: 'redirect', to: 'http://[' }, 'REGISTRY', /invalid URL/, 1],
  ['garbage', { kind: 'garbage', bytes: 'SSH-2.0-x\r\n\r\n' }, 'NETWORK', /not HTTP/, 2],
  [
    'another size',
    { kind: 'headers', headers: { 'content-range': 'bytes 100000-299999/700000' } },
    'REGISTRY',
    /700000/,
    1,
  ],
  [
    'Content-Encoding',
    { kind: 'headers', headers: { 'content-encoding': 'gzip' } },
    'REGISTRY',
    /Content-Encoding/,
    1,
  ],
];
for (const [name, fault, wanted, message, requests] of failures) {
  test(`a clear error for ${name}`, async (t) => {
    const { registry, range } = await setUp(t);
    registry.onRequest(() => fault);
    await assert.rejects(range(), code(wanted, message));
    assert.equal(registry.log.length, requests);
  });
}

test('answers that are refused for their size give their connections back', async (t) => {
  const big = noise(3 << 20);
  const image = makeTestImage([big]);
  const { registry, source } = await setUp(t);
  addTestImage(registry, 'a/b', 'big', image);
  registry.onRequest(
    onBlob({ kind: 'headers', headers: { 'content-range': `bytes 1-${2 << 20}/${4 << 20}` } }, 20),
  );
  const range = { offset: 1, length: 2 << 20 };
  for (let i = 0; i < 20; i++) {
    await assert.rejects(collect(source.range(image.layers[0]!.descriptor, range)), code('REGISTRY', /says/));
  }
  assert.equal((await collect(source.range(image.layers[0]!.descriptor, range))).length, range.length);
});

test('a registry that comes back is waited for; Retry-After is honoured', async (t) => {
  const { registry, range } = await setUp(t);
  registry.onRequest((_, number) =>
    number < 2
      ? { kind: 'status', status: 503, headers: number === 0 ? { 'retry-after': '1' } : {} }
      : undefined,
  );
  const start = performance.now();
  assert.deepEqual(await range(), slice());
  assert.ok(performance.now() - start >= 1000);
  assert.equal(registry.log.length, 3);
});

test('a list of referrers that is to be had in half a minute is done without', async (t) => {
  const { registry, source } = await setUp(t);
  registry.onRequest(() => ({ kind: 'status', status: 503, headers: { 'retry-after': '29' } }));
  const subject = `sha256:${'ab'.repeat(32)}`;
  const start = performance.now();
  await assert.rejects(source.referrers!(subject, 'application/x'), code('REGISTRY'));
  assert.ok(performance.now() - start < 20_000);
  assert.equal(registry.log.length, 1);
});

test('a redirect to a store: two requests cold, one warm, a fresh URL when it ran out', async (t) => {
  const { registry, range, blob } = await setUp(t);
  registry.onRequest(onBlob({ kind: 'redirect', to: 'store' }));
  assert.deepEqual(await range(), slice());
  assert.deepEqual(await range(), slice());
  assert.deepEqual(
    registry.log.map(({ kind }) => kind),
    ['blob', 'store', 'store'],
  );
  registry.expireStore();
  registry.log.length = 0;
  assert.deepEqual(await blob(), Buffer.from(LAYER));
  assert.deepEqual(
    registry.log.map(({ kind, status }) => [kind, status]),
    [
      ['store', 403],
      ['blob', 307],
      ['store', 200],
    ],
  );
});

test('a presigned URL never reaches an error, an event or a cause that is printed', async (t) => {
  const { registry, range, events } = await setUp(t);
  registry.onRequest((request) =>
    request.kind === 'blob' ? { kind: 'redirect', to: 'store' } : { kind: 'status', status: 500 },
  );
  await assert.rejects(range(), (error: unknown) => {
    assert.ok(isClipError(error, 'REGISTRY'));
    assert.doesNotMatch(`${error.message} ${error.hint} ${String(error.cause)} ${error.stack}`, /secret-/);
    assert.match(error.message, /X-Amz-Signature=REDACTED/);
    return true;
  });
  assert.doesNotMatch(JSON.stringify(events), /secret-/);
});

test('an abort ends a read at once, with its reason', async (t) => {
  const { registry, source } = await setUp(t, { idleTimeout: 60_000, headersTimeout: 60_000 });
  registry.onRequest(onBlob({ kind: 'stall', after: 5000 }));
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 50);
  const start = performance.now();
  await assert.rejects(collect(source.range(DESCRIPTOR, RANGE, { signal: abort.signal })), (error: unknown) =>
    isClipError(error, 'INTERRUPTED'),
  );
  assert.ok(performance.now() - start < 2000);
  await assert.rejects(collect(source.range(DESCRIPTOR, RANGE, { signal: abort.signal })), (error: unknown) =>
    isClipError(error, 'INTERRUPTED'),
  );
});

test('closing ends reads under way at once, and opens nothing again', async (t) => {
  const { registry, source, range } = await setUp(t, { idleTimeout: 60_000, headersTimeout: 60_000 });
  registry.onRequest(onBlob({ kind: 'stall', after: 'headers' }));
  const reading = assert.rejects(range(), (error: unknown) => error instanceof ClipError);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await source.close();
  await reading;
  assert.equal(registry.log.length, 1);
});

test('a reader that is slow keeps memory bounded: the connection pauses', async (t) => {
  const { registry, source, events } = await setUp(t, { idleTimeout: 5000 });
  registry.onRequest(onBlob({ kind: 'endless' }));
  const observer = { emit: (event: ClipEvent) => void events.push(event) };
  const big = { ...DESCRIPTOR, size: 1 << 30 };
  const chunks = source.blob(big, { observer })[Symbol.asyncIterator]();
  await chunks.next();
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.ok(fetched(events) < 4 << 20, `${fetched(events)} bytes were taken without being read`);
  await chunks.return?.();
});

test('bytes outside the blob are never asked for', async (t) => {
  const { registry, range } = await setUp(t);
  for (const wrong of [
    { offset: 599_999, length: 2 },
    { offset: -1, length: 1 },
    { offset: 2 ** 53, length: 1 },
  ]) {
    await assert.rejects(range(wrong), (error: unknown) => isClipError(error, 'CORRUPT_INDEX'));
  }
  assert.equal(registry.log.length, 0);
});

test('manifests: broken bodies are asked for again, wrong and oversized ones refused', async (t) => {
  const { registry, source } = await setUp(t);
  registry.onRequest((_, number) => (number === 0 ? { kind: 'drop', after: 20 } : undefined));
  assert.equal((await source.manifest(undefined)).digest, IMAGE.manifestDigest);
  assert.equal(registry.log.length, 2);
  registry.onRequest(() => ({ kind: 'body', change: (body) => Buffer.concat([body, Buffer.from(' ')]) }));
  await assert.rejects(source.manifest(IMAGE.manifestDigest), code('DIGEST_MISMATCH'));
  registry.onRequest(() => ({ kind: 'endless' }));
  await assert.rejects(source.manifest(undefined), (error: unknown) => isClipError(error, 'LIMIT'));
  registry.onRequest((request) =>
    request.kind === 'blob' ? { kind: 'body', change: (body) => body.map((b) => b ^ 1) } : undefined,
  );
  await assert.rejects(resolveImage(source), code('DIGEST_MISMATCH', /config/));
  registry.onRequest(() => ({
    kind: 'status',
    status: 404,
    body: '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest\\u001b[31m unknown"}]}',
  }));
  await assert.rejects(
    source.manifest(undefined),
    code('NOT_FOUND', /v not found: MANIFEST_UNKNOWN: manifest \[31m unknown/),
  );
});

test('a registry that is down, a host that is not there', async (t) => {
  const { registry, range } = await setUp(t);
  await registry.stop();
  await assert.rejects(range(), code('NETWORK', /connection refused/));
  const image = parseImage('registry.invalid/x:y');
  const source = await openSource(image, { connection: CONNECTION, offline: false });
  await assert.rejects(source.manifest(undefined), code('NETWORK', /unknown host|looked up/));
  await source.close();
  await assert.rejects(openSource(image, { connection: CONNECTION, offline: true }), code('OFFLINE'));
});
