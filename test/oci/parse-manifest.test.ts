import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ClipError, type ErrorCode } from '../../src/errors.js';
import { layerType } from '../../src/oci/media-types.js';
import { parseConfig } from '../../src/oci/parse-config.js';
import { parseManifest } from '../../src/oci/parse-manifest.js';

const D = `sha256:${'0'.repeat(64)}`;
const OCI = 'application/vnd.oci.image.manifest.v1+json';
const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: D, size: 2 };
const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: D, size: 10 };
const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const fails = (value: unknown, code: ErrorCode, message: RegExp): void => {
  assert.throws(
    () => parseManifest(value instanceof Uint8Array ? value : bytes(value)),
    (error: unknown) => error instanceof ClipError && error.code === code && message.test(error.message),
    JSON.stringify(value)?.slice(0, 200),
  );
};

test('OCI and Docker manifests and indexes are read', () => {
  const oci = parseManifest(bytes({ schemaVersion: 2, mediaType: OCI, config, layers: [layer] }));
  assert.deepEqual(oci, { kind: 'manifest', mediaType: OCI, config, layers: [layer] });
  const docker = 'application/vnd.docker.distribution.manifest.v2+json';
  const dockerConfig = { ...config, mediaType: 'application/vnd.docker.container.image.v1+json' };
  const foreign = {
    ...layer,
    mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    urls: ['https://x.example/l'],
  };
  const parsed = parseManifest(
    bytes({ schemaVersion: 2, mediaType: docker, config: dockerConfig, layers: [foreign] }),
  );
  assert.equal(parsed.kind === 'manifest' && parsed.layers[0]?.urls?.[0], 'https://x.example/l');
  const list = 'application/vnd.docker.distribution.manifest.list.v2+json';
  const platform = { os: 'linux', architecture: 'arm', variant: 'v7' };
  const index = parseManifest(
    bytes({
      schemaVersion: 2,
      mediaType: list,
      manifests: [{ mediaType: docker, digest: D, size: 1, platform }],
    }),
  );
  assert.deepEqual(index.kind === 'index' && index.manifests[0]?.platform, platform);
});

test('the shape decides where no media type is written, whatever the transport says', () => {
  const index = 'application/vnd.oci.image.index.v1+json';
  assert.equal(parseManifest(bytes({ schemaVersion: 2, config, layers: [] }), index).kind, 'manifest');
  assert.equal(parseManifest(bytes({ schemaVersion: 2, manifests: [] }), 'text/plain').kind, 'index');
  assert.equal(
    parseManifest(bytes({ schemaVersion: 2, mediaType: OCI, config, layers: [] }), index).kind,
    'manifest',
  );
});

test('what is no image is refused with a clear word', () => {
  fails({ schemaVersion: 1, fsLayers: [] }, 'UNSUPPORTED', /schema 1/);
  const helm = { ...config, mediaType: 'application/vnd.cncf.helm.config.v1+json' };
  fails({ schemaVersion: 2, mediaType: OCI, config: helm, layers: [] }, 'UNSUPPORTED', /helm\.config/);
  const empty = { ...config, mediaType: 'application/vnd.oci.empty.v1+json' };
  fails({ schemaVersion: 2, artifactType: 'application/x.sbom', config: empty }, 'UNSUPPORTED', /x\.sbom/);
  fails(
    { schemaVersion: 2, mediaType: 'application/x', config, layers: [] },
    'UNSUPPORTED',
    /application\/x/,
  );
  const secret = { ...layer, mediaType: `${layer.mediaType}+encrypted` };
  fails({ schemaVersion: 2, config, layers: [secret] }, 'UNSUPPORTED', /encrypted/);
});

test('hostile documents are refused', () => {
  const manifest = (change: object) => ({
    schemaVersion: 2,
    mediaType: OCI,
    config,
    layers: [layer],
    ...change,
  });
  const withLayer = (change: object) => manifest({ layers: [{ ...layer, ...change }] });
  fails(Buffer.from('{'), 'CORRUPT_IMAGE', /not JSON/);
  fails(Buffer.from([0x22, 0xff, 0x22]), 'CORRUPT_IMAGE', /not JSON/);
  fails([], 'CORRUPT_IMAGE', /not an object/);
  fails(Buffer.alloc((4 << 20) + 1, 0x20), 'LIMIT', /4 MiB/);
  fails(manifest({ manifests: [] }), 'CORRUPT_IMAGE', /both/);
  fails({ config, layers: [], manifests: [] }, 'CORRUPT_IMAGE', /both/);
  fails(withLayer({ digest: 'sha256:../../etc/passwd' }), 'CORRUPT_IMAGE', /layers\[0\]\.digest/);
  fails(withLayer({ digest: `sha256:${'A'.repeat(64)}` }), 'CORRUPT_IMAGE', /digest/);
  for (const size of [-1, 1.5, 2 ** 53, '10', null, undefined, Number.NaN]) {
    fails(withLayer({ size }), 'CORRUPT_IMAGE', /layers\[0\]\.size/);
  }
  fails(withLayer({ urls: 'https://x' }), 'CORRUPT_IMAGE', /urls/);
  fails(withLayer({ mediaType: 'a\nb' }), 'CORRUPT_IMAGE', /control/);
  fails(manifest({ layers: Array.from({ length: 1025 }, () => layer) }), 'LIMIT', /layers/);
  fails(manifest({ layers: {} }), 'CORRUPT_IMAGE', /array/);
  fails(manifest({ config: undefined }), 'CORRUPT_IMAGE', /no config/);
  const proto = Buffer.from(`{"__proto__": ${JSON.stringify(manifest({}))}}`);
  fails(proto, 'CORRUPT_IMAGE', /no config/);
});

test('property: any JSON is read or refused with a ClipError', () => {
  const keys = fc.constantFrom(
    'schemaVersion',
    'mediaType',
    'config',
    'layers',
    'manifests',
    'digest',
    'size',
    'rootfs',
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.jsonValue(),
      tie('object'),
      fc.constant(layer),
      fc.constant(config),
    ),
    object: fc.dictionary(keys, fc.oneof(tie('value'), fc.array(tie('value'), { maxLength: 3 })), {
      maxKeys: 5,
    }),
  }));
  fc.assert(
    fc.property(value!, (document) => {
      for (const parse of [parseManifest, parseConfig]) {
        try {
          parse(bytes(document));
        } catch (error) {
          assert.ok(error instanceof ClipError, String(error));
        }
      }
    }),
    { numRuns: 2000 },
  );
});

test('configs give platform and diffIDs', () => {
  const rootfs = { type: 'layers', diff_ids: [D] };
  assert.deepEqual(parseConfig(bytes({ os: 'linux', architecture: 'arm', variant: 'v6', rootfs })), {
    platform: { os: 'linux', architecture: 'arm', variant: 'v6' },
    diffIds: [D],
  });
  assert.equal(parseConfig(bytes({ rootfs })).platform, undefined);
  assert.throws(() => parseConfig(bytes({ rootfs: { diff_ids: ['sha256:x'] } })), /diff_ids\[0\]/);
  assert.throws(() => parseConfig(bytes({})), /rootfs/);
});

test('layer media types', () => {
  const oci = 'application/vnd.oci.image.layer.';
  const docker = 'application/vnd.docker.image.rootfs.';
  assert.deepEqual(layerType(`${oci}v1.tar`), { foreign: false });
  assert.deepEqual(layerType(`${oci}v1.tar+zstd`), { foreign: false });
  assert.deepEqual(layerType(`${oci}nondistributable.v1.tar+gzip`), { foreign: true });
  assert.deepEqual(layerType(`${docker}diff.tar.gzip`), { foreign: false });
  assert.deepEqual(layerType(`${docker}foreign.diff.tar.gzip`), { foreign: true });
  assert.equal(layerType('application/json'), undefined);
});
