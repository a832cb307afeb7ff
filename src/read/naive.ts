import { createHash } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClipError } from '../errors.js';
import type { LayerInfo } from '../format/model.js';
import { abortable } from '../http/abortable.js';
import { splitDigest } from '../reference/digest.js';
import type { Node } from '../tree/node.js';
import { wholeBlob } from './blob.js';
import { layerInfo, type ReadContext } from './context.js';
import { createDecoderClock } from './decoder-clock.js';
import { fsError } from './extract-errors.js';
import { segmentsOf, zeros } from './plan.js';

export interface NaiveReader {
  read(
    node: Node,
    range: { offset: number; length: number },
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array>;
  close(): Promise<void>;
}

/** Small, since what a chunk inflates to is held until it is read. */
const CHUNK = 64 * 1024;

/**
 * The `naive` strategy, what `clip bench` measures the others against: a layer's blob is fetched once per run into a private temporary
 * file, and every read inflates it from byte 0 up to the last byte it needs. Nothing that was decoded is kept, so every
 * lookup is a miss: the temporary file stands for the origin, as a pulled layer does on a worker.
 */
export function createNaiveReader(context: ReadContext): NaiveReader {
  const controller = new AbortController();
  const blobs = new Map<number, Promise<string>>();
  let folder: Promise<string> | undefined;

  function blobOf(layer: number): Promise<string> {
    const known = blobs.get(layer);
    if (known) return known;
    folder ??= mkdtemp(join(tmpdir(), 'clip-naive-'));
    const blob = folder
      .then((directory) =>
        fetchBlob(context, layerInfo(context, layer), join(directory, `${layer}`), controller.signal),
      )
      .catch((error: unknown) => {
        throw fsError(error, Buffer.from(tmpdir()), 'set TMPDIR to a folder that has room for the layers');
      });
    blobs.set(layer, blob);
    blob.catch(() => blobs.delete(layer));
    return blob;
  }

  return {
    async *read(node, range, signal) {
      const info = layerInfo(context, node.layer);
      const segments = [...segmentsOf(node, range.offset, range.length)];
      const data = segments.filter((segment) => segment.offset !== undefined) as DataSegment[];
      if (data.length === 0) {
        for (const segment of segments) yield* zeros(segment.length);
        return;
      }
      const key = info.digest;
      context.observer.emit({
        type: 'lookup',
        unit: 'layer',
        outcome: 'miss',
        coalesced: false,
        layer: key,
        key,
      });
      const path = await abortable(blobOf(node.layer), signal);
      const inflated = inflateUpTo({ context, info, path, data, signal });
      try {
        for (const segment of segments) {
          if (segment.offset === undefined) yield* zeros(segment.length);
          else yield* takeBytes(inflated, segment.length);
        }
      } finally {
        await inflated.return(undefined);
      }
    },
    async close() {
      controller.abort();
      await Promise.allSettled(blobs.values());
      const directory = await folder?.catch(() => undefined);
      if (directory !== undefined) await rm(directory, { recursive: true, force: true });
    },
  };
}

interface DataSegment {
  offset: number;
  length: number;
}

async function fetchBlob(
  context: ReadContext,
  info: LayerInfo,
  path: string,
  signal: AbortSignal,
): Promise<string> {
  const { algorithm } = splitDigest(info.digest);
  const hash = createHash(algorithm);
  // Made anew: what a transfer that failed has left is written over.
  const file = await open(path, 'w', 0o600);
  try {
    for await (const chunk of wholeBlob(context, info, signal)) {
      hash.update(chunk);
      await file.writeFile(chunk);
    }
  } finally {
    await file.close();
  }
  const got = `${algorithm}:${hash.digest('hex')}`;
  if (got !== info.digest) {
    throw new ClipError('DIGEST_MISMATCH', `layer ${info.digest} has digest ${got}`, {
      hint: 'the registry or the layout serves a damaged blob',
    });
  }
  return path;
}

/** Inflates a blob from byte 0 and yields the bytes of `data` (ascending), without a gap between them; stops at their end. */
async function* inflateUpTo(options: {
  context: ReadContext;
  info: LayerInfo;
  path: string;
  data: readonly DataSegment[];
  signal: AbortSignal | undefined;
}): AsyncGenerator<Uint8Array, undefined, undefined> {
  const { context, info, path, data, signal } = options;
  const clock = createDecoderClock();
  const about = { unit: 'layer', layer: info.digest, key: info.digest } as const;
  let position = 0;
  let next = 0;
  let wanted: Uint8Array[] = [];
  const { createLayerDecoder } = await context.decoders();
  const file = await open(path, 'r');
  const decoder = createLayerDecoder(info.encoding, {
    data(bytes) {
      const end = position + bytes.byteLength;
      for (; next < data.length; next++) {
        const segment = data[next] as DataSegment;
        if (segment.offset >= end) break;
        const from = Math.max(segment.offset - position, 0);
        const to = Math.min(segment.offset + segment.length - position, bytes.byteLength);
        if (to > from) wanted.push(new Uint8Array(bytes.subarray(from, to)));
        if (segment.offset + segment.length > end) break;
      }
      position = end;
    },
  });
  const tell = info.encoding !== 'plain';
  if (tell) context.observer.emit({ type: 'inflate-start', ...about });
  try {
    const chunk = Buffer.allocUnsafe(CHUNK);
    while (next < data.length) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(chunk, 0, CHUNK, null);
      clock.resume();
      const decoding = bytesRead > 0 ? decoder.push(chunk.subarray(0, bytesRead)) : decoder.end();
      if (decoding) await decoding;
      clock.pause();
      yield* wanted;
      wanted = [];
      if (bytesRead === 0) break;
    }
    if (next < data.length) {
      throw new ClipError('CORRUPT_LAYER', `layer ${info.digest} ends before the file does`);
    }
  } finally {
    decoder.close();
    await file.close();
    if (tell) context.observer.emit({ type: 'inflate', ...about, bytes: position, seconds: clock.take() });
  }
}

/** Exactly `length` bytes of the stream, whose chunks never cross the end of a segment. */
async function* takeBytes(stream: AsyncGenerator<Uint8Array>, length: number): AsyncGenerator<Uint8Array> {
  let left = length;
  while (left > 0) {
    const { value, done } = await stream.next();
    if (done) throw new ClipError('CORRUPT_LAYER', 'a layer ends before the file does');
    left -= value.byteLength;
    yield value;
  }
}
