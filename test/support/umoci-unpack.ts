/** What `umoci` (Go's archive/tar, as in containerd and Docker) unpacks from one layer: the oracle where tar readers differ. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DiskNode, readTree } from './tar-walk.js';

const OCI = 'application/vnd.oci.image';

/**
 * Writes an image with this one plain layer into `dir` and unpacks it there. Undefined where umoci refuses the layer. Needs root for
 * owners and devices.
 */
export function umociUnpack(dir: string, layer: Buffer): Map<string, DiskNode> | undefined {
  const image = join(dir, 'image');
  mkdirSync(join(image, 'blobs/sha256'), { recursive: true });
  const put = (bytes: Buffer, mediaType: string) => {
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(image, 'blobs/sha256', hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const blob = put(layer, `${OCI}.layer.v1.tar`);
  const rootfs = { type: 'layers', diff_ids: [blob.digest] };
  const config = put(
    json({ architecture: 'amd64', os: 'linux', config: {}, rootfs }),
    `${OCI}.config.v1+json`,
  );
  const manifest = put(
    json({ schemaVersion: 2, mediaType: `${OCI}.manifest.v1+json`, config, layers: [blob] }),
    `${OCI}.manifest.v1+json`,
  );
  const annotations = { 'org.opencontainers.image.ref.name': 'test' };
  writeFileSync(join(image, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(
    join(image, 'index.json'),
    json({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  const out = join(dir, 'rootfs');
  const { status } = spawnSync('umoci', ['raw', 'unpack', '--image', `${image}:test`, out]);
  return status === 0 ? readTree(out) : undefined;
}
