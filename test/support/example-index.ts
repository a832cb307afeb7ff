import type { ByteString } from '../../src/bytes.js';
import { sha256 } from '../../src/format/digest.js';
import { encodeImage } from '../../src/format/image-encoder.js';
import { createLayerEncoder } from '../../src/format/layer-encoder.js';
import type { Entry } from '../../src/tree/entry.js';

/** The index of docs/format.md, "Worked example": one plain layer with `etc/` and `etc/hostname`. Nothing in it is random. */
export function exampleIndex(): Buffer {
  const nothing = '' as ByteString;
  const directory: Entry = {
    path: 'etc' as ByteString,
    type: 'directory',
    mode: 0o755,
    uid: 0,
    gid: 0,
    uname: nothing,
    gname: nothing,
    mtime: 1_700_000_000,
    mtimeNanos: 0,
    size: 0,
    link: nothing,
    devMajor: 0,
    devMinor: 0,
    xattrs: [],
    position: 512,
  };
  const file: Entry = {
    ...directory,
    path: 'etc/hostname' as ByteString,
    type: 'file',
    mode: 0o644,
    mtime: 1_700_000_100,
    size: 5,
    position: 1024,
  };
  const layer = { size: 2560, uncompressedSize: 2560, encoding: 'plain' as const };
  const digest = sha256(Buffer.from('the layer')).toString('hex');
  const encoder = createLayerEncoder({ spacing: 1_048_576 });
  encoder.span(
    { index: 0, offset: 0, length: 2560, byte: 0, bit: 0, end: 2560, kind: 'raw', skip: 0, digest },
    { window: new Uint8Array(0), header: undefined },
  );
  const section = encoder.finish({
    ...layer,
    entries: [directory, file],
    digest: `sha256:${digest}`,
    diffId: `sha256:${digest}`,
  });
  return Buffer.concat(
    encodeImage({
      layers: [{ section, mediaType: 'application/vnd.oci.image.layer.v1.tar' }],
      nodes: [
        { path: nothing, ref: undefined, target: undefined, nlink: 1 },
        { path: directory.path, ref: { layer: 0, entry: 0 }, target: undefined, nlink: 1 },
        { path: file.path, ref: { layer: 0, entry: 1 }, target: undefined, nlink: 1 },
      ],
      manifest: Buffer.from('{}'),
      manifestMediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: Buffer.from('{}'),
      platform: 'linux/amd64',
      spacing: 1_048_576,
      sourceHint: 'oci:x',
    }),
  );
}

/** As `hexdump -C` prints it, without the text column. */
export function hexDump(bytes: Buffer): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const hex = bytes
      .subarray(at, at + 16)
      .toString('hex')
      .replace(/../g, '$& ')
      .trim();
    lines.push(`${at.toString(16).padStart(4, '0')}  ${hex}`);
  }
  return lines.join('\n');
}
