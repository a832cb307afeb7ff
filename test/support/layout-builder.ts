/**
 * Small OCI image layouts for tests, from layers given entry by entry: for the order and the oddities that real tools would
 * not write. The tar is plain ustar; test/support/entries.ts has the entry notation.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Entry, EntryType } from '../../src/tree/entry.js';

const TYPE_FLAGS: Record<EntryType, string> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  char: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

/** A tar of the entries in the order of their positions. `contentOf` gives a file's bytes. */
export function tarOf(entries: readonly Entry[], contentOf: (entry: Entry) => string): Buffer {
  const blocks: Buffer[] = [];
  for (const entry of [...entries].sort((a, b) => a.position - b.position)) {
    const content = Buffer.from(entry.type === 'file' ? contentOf(entry) : '');
    blocks.push(headerOf(entry, content.length), content, Buffer.alloc(-content.length & 511));
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

function headerOf(entry: Entry, size: number): Buffer {
  const header = Buffer.alloc(512);
  const name = entry.path === '' ? './' : entry.type === 'directory' ? `${entry.path}/` : entry.path;
  if (name.length > 100 || entry.link.length > 100) throw new RangeError('name too long for this builder');
  const octal = (value: number, length: number) => value.toString(8).padStart(length - 1, '0');
  header.write(name, 0, 'latin1');
  header.write(octal(entry.mode, 8), 100);
  header.write(octal(entry.uid, 8), 108);
  header.write(octal(entry.gid, 8), 116);
  header.write(octal(size, 12), 124);
  header.write(octal(entry.mtime, 12), 136);
  header.write('        ', 148);
  header.write(TYPE_FLAGS[entry.type], 156);
  header.write(entry.link, 157, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  header.write(octal(entry.devMajor, 8), 329);
  header.write(octal(entry.devMinor, 8), 337);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 7)}\0 `, 148, 'latin1');
  return header;
}

export interface LayoutOptions {
  tag?: string;
  /** Default gzip. */
  compression?: 'gzip' | 'plain';
}

/** A layer as it lies in the layout. */
export interface PackedLayer {
  blob: Uint8Array;
  /** SHA-256 of its tar, `sha256:<hex>`. */
  diffId: string;
  mediaType: string;
}

/** Writes a layout with one image of these layers (uncompressed tars, base first) into `directory`. */
export function writeLayout(directory: string, tars: readonly Buffer[], options: LayoutOptions = {}): void {
  const { tag = 'latest', compression = 'gzip' } = options;
  const layers = tars.map((tar): PackedLayer => {
    const diffId = `sha256:${createHash('sha256').update(tar).digest('hex')}`;
    return compression === 'gzip'
      ? {
          blob: gzipSync(tar, { level: 1 }),
          diffId,
          mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
        }
      : { blob: tar, diffId, mediaType: 'application/vnd.oci.image.layer.v1.tar' };
  });
  writePackedLayout(directory, layers, tag);
}

/** The same with layers that are packed already, however they are. */
export function writePackedLayout(directory: string, packed: readonly PackedLayer[], tag = 'latest'): void {
  const blobs = join(directory, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  const put = (bytes: Uint8Array, mediaType: string) => {
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(blobs, hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const type = (name: string) => `application/vnd.oci.image.${name}`;
  const layers = packed.map(({ blob, mediaType }) => put(blob, mediaType));
  const diffIds = packed.map(({ diffId }) => diffId);
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const config = put(
    json({ architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: diffIds } }),
    type('config.v1+json'),
  );
  const manifest = put(
    json({ schemaVersion: 2, mediaType: type('manifest.v1+json'), config, layers }),
    type('manifest.v1+json'),
  );
  const annotations = { 'org.opencontainers.image.ref.name': tag };
  writeFileSync(
    join(directory, 'index.json'),
    json({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  writeFileSync(join(directory, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }));
}
