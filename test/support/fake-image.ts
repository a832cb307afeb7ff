import { createHash } from 'node:crypto';
import { createGunzip, gunzipSync, gzipSync } from 'node:zlib';
import { type ByteString, textToByteString } from '../../src/bytes.js';
import { ClipError } from '../../src/errors.js';
import type { ImageIndex } from '../../src/format/image-index.js';
import type { LayerInfo, Span } from '../../src/format/model.js';
import { type ClipEvent, type Observer, silentObserver } from '../../src/observer.js';
import type { Decoders } from '../../src/read/decoders.js';
import type { ImageSource } from '../../src/source/source.js';
import { comparePaths, type Entry } from '../../src/tree/entry.js';
import type { Node } from '../../src/tree/node.js';
import { packed } from './packed.js';

/** What stands at a path: contents, a directory, a symlink, or a sparse file. */
export type FakeFile =
  | Uint8Array
  | 'directory'
  | { symlink: string }
  | { size: number; runs: { logical: number; bytes: Uint8Array }[] };

export interface FakeLayer {
  files: Record<string, FakeFile>;
  encoding?: 'gzip' | 'plain';
}

export interface FakeImage {
  index: ImageIndex;
  source: FakeSource;
  /** Uncompressed bytes of each layer. */
  layers: Uint8Array[];
  node(path: string): Promise<Node>;
}

export interface FakeSource extends ImageSource {
  /** What was asked for. */
  readonly calls: { kind: 'range' | 'blob'; offset: number; length: number }[];
  /** Bytes handed out before the connection breaks; undefined: it never does. */
  failAfter: number | undefined;
  /** Largest chunk. */
  chunk: number;
  /** Awaited before each chunk. */
  pause: (() => Promise<void>) | undefined;
}

export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/**
 * An image in memory whose every span is a gzip member of its own (or a plain range), so that no scanner and no index file are needed
 * to test the read path.
 */
export function fakeImage(layers: readonly FakeLayer[], spacing = 64 * 1024): FakeImage {
  const nodes = new Map<string, Node>();
  const built = layers.map((layer, number) => buildLayer(layer, { number, spacing, nodes }));
  nodes.set('', nodeOf('' as ByteString, entryOf('' as ByteString, 'directory', 0), -1));
  const sorted = [...nodes.values()].sort((a, b) => comparePaths(a.path, b.path));
  const below = (path: string) => (path === '' ? '' : `${path}/`);
  const index: ImageIndex = {
    identity: `sha256:${'0'.repeat(64)}`,
    formatVersion: 1,
    size: 0,
    sourceHint: undefined,
    layers: built.map((layer) => layer.info),
    nodeCount: sorted.length - 1,
    bytesRead: 0,
    async describe() {
      throw new Error('not needed');
    },
    async lookup(path) {
      return nodes.get(path);
    },
    async *children(path) {
      const prefix = below(path);
      yield sorted.filter(
        (node) =>
          node.path !== '' && node.path.startsWith(prefix) && !node.path.slice(prefix.length).includes('/'),
      );
    },
    async *walk(path) {
      yield sorted.filter((node) => node.path === path || node.path.startsWith(below(path)));
    },
    pathsBelow() {
      throw new Error('not needed');
    },
    async spans(layer, offset, length) {
      return (built[layer]?.spans ?? []).filter(
        (span) => span.offset < offset + length && span.offset + span.length > offset,
      );
    },
    async spanContext() {
      return { window: new Uint8Array(), header: undefined };
    },
    async layerSection() {
      throw new Error('not needed');
    },
    async close() {},
  };
  return {
    index,
    source: fakeSource(built.map((layer) => layer.blob)),
    layers: built.map((layer) => layer.tar),
    async node(path) {
      const node = nodes.get(textToByteString(path));
      if (!node) throw new Error(`no ${path}`);
      return node;
    },
  };
}

function buildLayer(
  layer: FakeLayer,
  options: { number: number; spacing: number; nodes: Map<string, Node> },
): { info: LayerInfo; spans: Span[]; blob: Uint8Array; tar: Uint8Array } {
  const { encoding = 'gzip' } = layer;
  const parts: Uint8Array[] = [];
  let position = 0;
  const add = (bytes: Uint8Array) => {
    const at = position;
    parts.push(bytes);
    position += bytes.byteLength;
    return at;
  };
  for (const [name, file] of Object.entries(layer.files)) {
    const path = textToByteString(name);
    add(Buffer.alloc(512, `header of ${name};`));
    const entry = entryOf(path, 'file', position);
    if (file === 'directory') Object.assign(entry, entryOf(path, 'directory', position));
    else if (file instanceof Uint8Array) {
      entry.size = file.byteLength;
      add(file);
    } else if ('symlink' in file) {
      entry.type = 'symlink';
      entry.link = textToByteString(file.symlink);
    } else {
      entry.size = file.size;
      entry.extents = packed(
        file.runs.map(({ logical, bytes }) => ({ logical, offset: add(bytes), length: bytes.byteLength })),
      );
    }
    add(Buffer.alloc((512 - (position % 512)) % 512));
    options.nodes.set(path, nodeOf(path, entry, options.number));
  }
  const tar = Buffer.concat([...parts, Buffer.alloc(1024)]);
  const members: Uint8Array[] = [];
  const spans: Span[] = [];
  let byte = 0;
  for (let offset = 0; offset < tar.byteLength; offset += options.spacing) {
    const bytes = tar.subarray(offset, offset + options.spacing);
    const packed = encoding === 'gzip' ? gzipSync(bytes, { level: 1 }) : bytes;
    members.push(packed);
    spans.push({
      index: spans.length,
      offset,
      length: bytes.byteLength,
      byte,
      bit: 0,
      end: byte + packed.byteLength,
      kind: encoding === 'gzip' ? 'member' : 'raw',
      skip: 0,
      digest: sha256(bytes),
    });
    byte += packed.byteLength;
  }
  const blob = Buffer.concat(members);
  const info: LayerInfo = {
    digest: `sha256:${sha256(blob)}`,
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    size: blob.byteLength,
    diffId: `sha256:${sha256(tar)}`,
    uncompressedSize: tar.byteLength,
    encoding,
    entryCount: Object.keys(layer.files).length,
    spanCount: spans.length,
  };
  return { info, spans, blob, tar };
}

function entryOf(path: ByteString, type: Entry['type'], position: number): Entry {
  const none = '' as ByteString;
  return {
    path,
    type,
    mode: type === 'directory' ? 0o755 : 0o644,
    uid: 1,
    gid: 2,
    uname: none,
    gname: none,
    mtime: 1_700_000_000,
    mtimeNanos: 500_000_000,
    size: 0,
    link: none,
    devMajor: 0,
    devMinor: 0,
    xattrs: [],
    position,
  };
}

function nodeOf(path: ByteString, entry: Entry, layer: number): Node {
  return { path, entry, layer, nlink: 1, inode: `${layer}:${entry.position}` };
}

export function fakeSource(blobs: readonly Uint8Array[]): FakeSource {
  const byDigest = new Map(blobs.map((blob) => [`sha256:${sha256(blob)}`, blob]));
  const calls: FakeSource['calls'] = [];
  async function* serve(
    digest: string,
    range: { offset: number; length: number | undefined; kind: 'range' | 'blob' },
    options: { observer?: Observer; signal?: AbortSignal } = {},
  ): AsyncGenerator<Uint8Array> {
    const blob = byDigest.get(digest);
    if (!blob) throw new ClipError('NOT_FOUND', `no blob ${digest}`);
    const end = range.length === undefined ? blob.byteLength : range.offset + range.length;
    calls.push({ kind: range.kind, offset: range.offset, length: end - range.offset });
    const observer = options.observer ?? silentObserver;
    observer.emit({ type: 'request', method: 'GET', url: digest });
    const scratch = new Uint8Array(source.chunk);
    for (let at = range.offset; at < end; ) {
      await (source.pause ? source.pause() : Promise.resolve());
      options.signal?.throwIfAborted();
      const bytes = blob.subarray(at, Math.min(at + source.chunk, end));
      if (source.failAfter !== undefined) {
        source.failAfter -= bytes.byteLength;
        if (source.failAfter < 0) throw new ClipError('NETWORK', 'the connection broke');
      }
      at += bytes.byteLength;
      observer.emit({ type: 'fetched', bytes: bytes.byteLength });
      // One buffer for all chunks, as the contract allows.
      scratch.set(bytes);
      yield scratch.subarray(0, bytes.byteLength);
    }
  }
  const source: FakeSource = {
    name: 'fake',
    calls,
    failAfter: undefined,
    chunk: 16 * 1024,
    pause: undefined,
    async manifest() {
      throw new Error('not needed');
    },
    blob(descriptor, options = {}) {
      const range = { offset: options.offset ?? 0, length: undefined, kind: 'blob' } as const;
      return serve(descriptor.digest, range, options);
    },
    range(descriptor, range, options = {}) {
      return serve(descriptor.digest, { ...range, kind: 'range' }, options);
    },
    async close() {},
  };
  return source;
}

/** Decoders over Node's zlib, enough for spans that are gzip members. */
export const zlibDecoders: Decoders = {
  inflateSpan(_encoding, span, _context, compressed) {
    const bytes = gunzipSync(compressed);
    if (bytes.byteLength !== span.length) throw new ClipError('CORRUPT_LAYER', 'wrong length');
    return new Uint8Array(bytes);
  },
  createLayerDecoder(encoding, sink) {
    if (encoding === 'plain') return { push: (chunk) => sink.data(chunk), end() {}, close() {} };
    const gunzip = createGunzip();
    let failure: unknown;
    gunzip.on('data', (bytes: Buffer) => {
      try {
        sink.data(bytes);
      } catch (error) {
        failure ??= error;
      }
    });
    const wait = (start: (done: () => void) => void) =>
      new Promise<void>((resolve, reject) => {
        gunzip.once('error', reject);
        start(() => {
          gunzip.off('error', reject);
          if (failure) reject(failure);
          else resolve();
        });
      });
    return {
      push: (chunk) => wait((done) => gunzip.write(Buffer.from(chunk), () => done())),
      end: () =>
        wait((done) => {
          gunzip.once('end', done);
          gunzip.end();
        }),
      close: () => gunzip.destroy(),
    };
  },
};

/** Keeps every event. */
export function recorder(): Observer & {
  events: ClipEvent[];
  count(type: ClipEvent['type']): number;
} {
  const events: ClipEvent[] = [];
  return {
    events,
    emit: (event) => void events.push(event),
    count: (type) => events.filter((event) => event.type === type).length,
  };
}

/** Bytes that do not compress, the same for the same seed. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed * 2_654_435_761;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}
