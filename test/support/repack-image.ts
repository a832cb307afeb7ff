import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Ways to pack a layer, each by the program that packs so in the wild. */
export const PACKERS = {
  gzip: { type: 'tar+gzip', command: 'gzip -n -6' },
  pigz: { type: 'tar+gzip', command: 'pigz -n -i -p 2 -b 128' },
  /** Members of 64 KiB of tar each. */
  members: { type: 'tar+gzip', command: "split -b 65536 --filter='gzip -n -1'" },
  zstd: { type: 'tar+zstd', command: 'zstd -q -c' },
  plain: { type: 'tar', command: 'cat' },
} as const;

export type Packer = keyof typeof PACKERS;

/**
 * Writes the image of the layout at `from` into a layout at `to`, its layers (given as uncompressed tars, base first) packed
 * anew: layer i by packers[i % packers.length].
 */
export function repackImage(
  from: string,
  to: string,
  { tars, packers }: { tars: readonly string[]; packers: readonly Packer[] },
): void {
  const blobs = join(to, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const put = (bytes: Buffer, mediaType: string) => {
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(blobs, hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const blob = (digest: string) => readFileSync(join(from, 'blobs', digest.replace(':', '/')));
  const top = JSON.parse(readFileSync(join(from, 'index.json'), 'utf8'));
  const manifest = JSON.parse(blob(top.manifests[0].digest).toString());
  const layers = tars.map((tar, i) => {
    const { type, command } = PACKERS[packers[i % packers.length]!];
    const packed = spawnSync('sh', ['-c', command], { input: readFileSync(tar), maxBuffer: 1 << 30 });
    if (packed.status !== 0) throw new Error(`${command}: ${packed.stderr}`);
    return put(packed.stdout, `application/vnd.oci.image.layer.v1.${type}`);
  });
  const config = put(blob(manifest.config.digest), manifest.config.mediaType);
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const packed = put(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers })), mediaType);
  writeFileSync(join(to, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [packed] }));
  writeFileSync(join(to, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
}
