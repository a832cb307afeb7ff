import { textToByteString } from '../../src/bytes.js';
import { encodeImage } from '../../src/format/image-encoder.js';
import type { ByteSource } from '../../src/format/image-index.js';
import { createLayerEncoder } from '../../src/format/layer-encoder.js';
import { openIndex } from '../../src/format/open-index.js';
import { createLayerDecoder } from '../../src/inflate/decode.js';
import { inflateSpan } from '../../src/inflate/resume.js';
import { createLayerScanner } from '../../src/inflate/scan.js';
import { OCI_CONFIG, OCI_MANIFEST } from '../../src/oci/media-types.js';
import type { Decoders } from '../../src/read/decoders.js';
import { comparePaths, type Entry } from '../../src/tree/entry.js';
import { type FakeImage, fakeSource, sha256 } from './fake-image.js';
import { merged } from './merged.js';

export const realDecoders: Decoders = { inflateSpan, createLayerDecoder };

export interface ScanImageOptions {
  pack: (tar: Uint8Array) => Uint8Array;
  spacing: number;
  mediaType?: string;
  /** Stated in the manifest for every layer. */
  urls?: string[];
}

/** The same image with its layers packed anew, scanned by clip itself, and with a real index. */
export async function scannedImage(image: FakeImage, options: ScanImageOptions): Promise<FakeImage> {
  const { mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip', spacing } = options;
  const entries: Entry[][] = image.layers.map(() => []);
  for await (const nodes of image.index.walk(textToByteString(''))) {
    for (const node of nodes) entries[node.layer]?.push(node.entry);
  }
  for (const list of entries) list.sort((a, b) => comparePaths(a.path, b.path));
  const blobs: Uint8Array[] = [];
  const sections: Uint8Array[] = [];
  for (const [i, tar] of image.layers.entries()) {
    const blob = options.pack(tar);
    const encoder = createLayerEncoder({ spacing });
    const scanner = createLayerScanner({ data() {}, span: encoder.span }, { spacing });
    await scanner.push(blob);
    const { encoding, uncompressedSize } = await scanner.end();
    const section = encoder.finish({
      entries: entries[i] ?? [],
      digest: `sha256:${sha256(blob)}`,
      size: blob.byteLength,
      diffId: `sha256:${sha256(tar)}`,
      uncompressedSize,
      encoding,
    });
    blobs.push(blob);
    sections.push(section);
  }
  const manifest = manifestOf(blobs, { mediaType, urls: options.urls });
  const file = Buffer.concat(
    encodeImage({
      layers: sections.map((section) => ({ section, mediaType })),
      nodes: merged(entries),
      manifest,
      manifestMediaType: OCI_MANIFEST,
      config: Buffer.from('{}'),
      platform: 'linux/amd64',
      spacing,
      sourceHint: undefined,
    }),
  );
  const index = await openIndex(memorySource(file));
  const source = fakeSource(blobs);
  source.manifest = async (digest) => {
    if (digest !== `sha256:${sha256(manifest)}`) throw new Error(`no manifest ${digest}`);
    return { bytes: manifest, mediaType: OCI_MANIFEST, digest };
  };
  return {
    index,
    source,
    layers: image.layers,
    async node(path) {
      const node = await index.lookup(textToByteString(path));
      if (!node) throw new Error(`no ${path}`);
      return node;
    },
  };
}

function manifestOf(
  blobs: readonly Uint8Array[],
  options: { mediaType: string; urls: string[] | undefined },
): Uint8Array {
  const describe = (mediaType: string, bytes: Uint8Array) => ({
    mediaType,
    digest: `sha256:${sha256(bytes)}`,
    size: bytes.byteLength,
  });
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: describe(OCI_CONFIG, Buffer.from('{}')),
    layers: blobs.map((blob) => ({
      ...describe(options.mediaType, blob),
      ...(options.urls && { urls: options.urls }),
    })),
  };
  return Buffer.from(JSON.stringify(manifest));
}

function memorySource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.byteLength,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
    async close() {},
  };
}
