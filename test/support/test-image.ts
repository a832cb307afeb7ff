/** Images in memory for tests of sources: layers are any bytes, the config fits them. */

import type { Descriptor } from '../../src/oci/descriptor.js';
import type { TestRegistry } from './registry.js';
import { sha256 } from './registry-store.js';

export interface TestImage {
  manifest: Uint8Array;
  manifestDigest: string;
  config: Uint8Array;
  layers: { descriptor: Descriptor; bytes: Uint8Array }[];
}

/** Bytes that look random and are the same on each run (xorshift32). */
export function noise(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}

export function makeTestImage(
  layers: Uint8Array[],
  platform: { os?: string; architecture?: string; variant?: string } = { os: 'linux', architecture: 'amd64' },
): TestImage {
  const diffIds = layers.map(sha256);
  const config = Buffer.from(JSON.stringify({ ...platform, rootfs: { type: 'layers', diff_ids: diffIds } }));
  const described = layers.map((bytes) => ({
    bytes,
    descriptor: {
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
      digest: sha256(bytes),
      size: bytes.length,
    },
  }));
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: sha256(config),
        size: config.length,
      },
      layers: described.map(({ descriptor }) => descriptor),
    }),
  );
  return { manifest, manifestDigest: sha256(manifest), config, layers: described };
}

export function addTestImage(
  registry: TestRegistry,
  repository: string,
  tag: string,
  image: TestImage,
): void {
  registry.addBlob(image.config);
  for (const { bytes } of image.layers) registry.addBlob(bytes);
  registry.addManifest(repository, tag, image.manifest);
}

/** All chunks of a stream, copied. */
export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Buffer[] = [];
  for await (const chunk of chunks) copies.push(Buffer.from(chunk));
  return Buffer.concat(copies);
}
