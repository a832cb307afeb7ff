import { createHash } from 'node:crypto';
import { isClipError } from '../../../src/errors.js';
import type { Descriptor } from '../../../src/oci/descriptor.js';
import { parseImage } from '../../../src/reference/parse-image.js';
import { openSource } from '../../../src/source/open.js';
import { resolveImage } from '../../../src/source/resolve-image.js';
import { type Fault, startTestRegistry, type TestRegistry } from '../../support/registry.js';
import { sample } from '../../support/zstd.js';
import { mutateBytes } from '../mutate-bytes.js';
import type { Target } from '../target.js';

/** Milliseconds that a registry may keep silent. */
const IDLE = 25;
const REPOSITORY = 'fuzz/image';

/**
 * A registry that answers as the input says: three bytes a request name a fault, its size and its variant; when they are used up it is
 * honest. What is read must be the right bytes or a typed error, soon.
 */
export async function httpTarget(): Promise<Target> {
  const registry = await startTestRegistry();
  const blob = sample(9000);
  const digest = registry.addBlob(blob);
  const layer: Descriptor = {
    mediaType: 'application/vnd.oci.image.layer.v1.tar',
    digest,
    size: blob.length,
  };
  const config = Buffer.from(
    JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [digest] } }),
  );
  const configType = 'application/vnd.oci.image.config.v1+json';
  registry.addManifest(REPOSITORY, 'latest', {
    schemaVersion: 2,
    config: { mediaType: configType, digest: registry.addBlob(config), size: config.length },
    layers: [layer],
  });
  return {
    name: 'http',
    code: ['http/', 'source/registry/', 'source/resolve-image.js'],
    seeds: () => [
      Buffer.alloc(0),
      ...Array.from({ length: FAULTS.length }, (_, kind) =>
        Buffer.from([kind, 9, 1, 0, 0, 0, kind, 200, 2, kind, 1, 3]),
      ),
    ],
    mutate: (input, other, random) => mutateBytes(input, other, random, 60),
    run: (input) => run(registry, { input, blob, layer }),
    close: () => registry.stop(),
  };
}

async function run(
  registry: TestRegistry,
  { input, blob, layer }: { input: Uint8Array; blob: Buffer; layer: Descriptor },
): Promise<'taken' | 'refused'> {
  let at = 0;
  registry.log.length = 0;
  registry.onRequest(({ range }) => {
    const [kind = 0, size = 0, variant = 0] = input.subarray(at, at + 3);
    at += 3;
    const fault = at > input.length ? undefined : FAULTS[kind % FAULTS.length]!(size, variant);
    return range === undefined && fault?.kind.endsWith('-range') ? undefined : fault;
  });
  const connection = {
    plainHttp: true,
    insecure: false,
    connectTimeout: 1000,
    headersTimeout: IDLE,
    idleTimeout: IDLE,
    tries: 3,
    retryDelay: 1,
  };
  const source = await openSource(parseImage(`docker://${registry.host}/${REPOSITORY}`), {
    connection,
    offline: false,
  });
  try {
    const image = await resolveImage(source, { platform: 'linux/amd64' });
    if (createHash('sha256').update(image.manifest).digest('hex') !== image.manifestDigest.slice(7))
      throw new Error('a manifest with another digest');
    // Whoever is asked by tag may answer with any manifest; what its own layer holds is then another matter.
    if (image.layers[0]?.digest !== layer.digest || image.layers[0].size !== layer.size) return 'refused';
    const whole = await collect(source.blob(layer, { offset: 100 }));
    if (whole.length !== blob.length - 100) throw new Error(`a blob of ${whole.length} bytes`);
    const part = await collect(source.range(layer, { offset: 4000, length: 3000 }));
    if (part.length !== 3000) throw new Error(`a range of ${part.length} bytes`);
    // Content is for the consumer to verify; an untouched body must be the right one.
    if (
      !changesBodies(input) &&
      !(whole.equals(blob.subarray(100)) && part.equals(blob.subarray(4000, 7000)))
    )
      throw new Error('other bytes than the registry has');
    return 'taken';
  } catch (error) {
    if (!isClipError(error)) throw error;
    return 'refused';
  } finally {
    await source.close();
  }
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const chunk of chunks) pieces.push(Buffer.from(chunk));
  return Buffer.concat(pieces);
}

type MakeFault = (size: number, variant: number) => Fault | undefined;

const STATUSES = [200, 201, 204, 206, 301, 304, 400, 401, 403, 404, 408, 416, 418, 429, 500, 502, 503, 599];
const HEADERS: readonly Record<string, string | undefined>[] = [
  { 'content-length': undefined },
  { 'content-type': 'text/html' },
  { 'content-type': undefined },
  { 'docker-content-digest': `sha256:${'0'.repeat(64)}` },
  { 'docker-content-digest': 'nonsense' },
  { 'content-range': 'bytes 0-1/2' },
  { 'content-range': undefined },
  { 'content-range': 'bytes 4000-6999/*' },
  { 'content-encoding': 'gzip' },
  { 'content-encoding': 'identity' },
  { 'retry-after': '0' },
  { 'x-large': 'x'.repeat(9000) },
];
const ANSWERS: readonly { headers: Record<string, string>; body: string }[] = [
  { headers: {}, body: '' },
  {
    headers: { 'www-authenticate': 'Basic realm="x"' },
    body: '{"errors":[{"code":"UNAUTHORIZED","message":"m"}]}',
  },
  { headers: { 'www-authenticate': 'Bearer realm="nonsense"' }, body: '{' },
  { headers: { 'www-authenticate': 'Bearer realm="http://127.0.0.1:1/t",service="s"' }, body: '[]' },
  { headers: { location: '/v2/' }, body: '' },
  { headers: { location: 'ftp://a' }, body: '' },
  { headers: { location: 'http://[' }, body: '' },
  { headers: { 'retry-after': '0', 'content-type': 'application/json' }, body: '{"errors":"x"}' },
  { headers: { 'content-type': 'application/vnd.oci.image.index.v1+json' }, body: '{"manifests":[]}' },
];
const GARBAGE = [
  '',
  'HTTP/1.1\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nz',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n',
  'HTTP/1.1 999 \r\nContent-Length: 0\r\n\r\n',
  '\0\xff',
  'HTTP/2 200\r\n\r\n',
  `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(3000)}\r\n`,
  'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
];

const FAULTS: readonly MakeFault[] = [
  () => undefined,
  (size, variant) => ({
    kind: 'status',
    status: STATUSES[size % STATUSES.length]!,
    ...ANSWERS[variant % ANSWERS.length]!,
  }),
  (size, variant) => ({ kind: 'drop', after: size * (variant % 40) }),
  // The client's timers tick once a second: a stall costs as much as a hundred other inputs.
  (size, variant) =>
    size > 230 ? { kind: 'stall', after: variant % 2 === 0 ? 'headers' : size * (variant % 40) } : undefined,
  (size, variant) => ({ kind: 'truncate', after: size * (variant % 40) }),
  () => ({ kind: 'endless' }),
  () => ({ kind: 'ignore-range' }),
  (size) => ({ kind: 'shift-range', by: (size % 9) - 4 }),
  (size, variant) => ({ kind: 'short-range', length: 1 + size * (variant % 10) }),
  (size) => ({ kind: 'headers', headers: HEADERS[size % HEADERS.length]! }),
  () => ({ kind: 'chunked' }),
  (size, variant) => ({ kind: 'body', change: (body) => changed(body, size, variant) }),
  (_, variant) => ({
    kind: 'redirect',
    to: variant % 4 === 0 ? 'store' : ['/v2/', '//x', 'http://127.0.0.1:1/'][variant % 3]!,
  }),
  (size) => ({ kind: 'garbage', bytes: GARBAGE[size % GARBAGE.length]! }),
  (size) => ({ kind: 'delay', milliseconds: size % 40 }),
];

function changesBodies(input: Uint8Array): boolean {
  for (let at = 0; at + 3 <= input.length; at += 3) {
    const kind = FAULTS[input[at]! % FAULTS.length]!(0, 0)?.kind;
    if (['body', 'status', 'garbage', 'headers'].includes(kind ?? '')) return true;
  }
  return false;
}

function changed(body: Uint8Array, size: number, variant: number): Uint8Array {
  const bytes = Buffer.from(body);
  if (bytes.length > 0) bytes[(size * 37) % bytes.length]! ^= 1 + (variant % 255);
  return variant % 5 === 0 ? bytes.subarray(0, size) : bytes;
}
