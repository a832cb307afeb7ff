import { ClipError } from '../../errors.js';
import { createLayerDecoder } from '../../inflate/decode.js';
import { detectEncoding } from '../../inflate/detect.js';

/** Input is decoded in pieces of this size, so that a bomb unfolds to no more than some megabytes at a time. */
const PIECE = 16 << 10;
/** What `docker load` takes too, and clip does not decode. */
const FOREIGN: readonly (readonly [name: string, magic: readonly number[], program: string])[] = [
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], 'unxz'],
  ['bzip2', [0x42, 0x5a, 0x68], 'bunzip2'],
  ['lz4', [0x04, 0x22, 0x4d, 0x18], 'unlz4'],
];
const LONGEST_MAGIC = 6;

/** The plain bytes of a stream that may be gzip or zstd. Throws UNSUPPORTED for other compressions, or as the decoder does. */
export async function* uncompressed(
  chunks: AsyncIterable<Uint8Array>,
  what: string,
): AsyncGenerator<Uint8Array> {
  const decoded: Uint8Array[] = [];
  let decoder: ReturnType<typeof createLayerDecoder> | undefined;
  let head: Uint8Array = new Uint8Array(0);

  async function* decode(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += PIECE) {
      await decoder!.push(bytes.subarray(at, at + PIECE));
      yield* decoded.splice(0);
    }
  }

  function begin(): void {
    refuseForeign(head, what);
    const encoding = detectEncoding(head, true) ?? 'plain';
    // The decoder's view is valid only while it is called.
    decoder = createLayerDecoder(encoding, { data: (bytes) => void decoded.push(Uint8Array.from(bytes)) });
  }

  for await (const chunk of chunks) {
    if (decoder !== undefined) {
      yield* decode(chunk);
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < LONGEST_MAGIC) continue;
    begin();
    yield* decode(head);
  }
  if (decoder === undefined) {
    begin();
    yield* decode(head);
  }
  await decoder!.end();
  yield* decoded.splice(0);
}

/** How a file is compressed, by its first bytes (6 are enough); undefined for a plain one. Throws UNSUPPORTED. */
export function compressionOf(head: Uint8Array, what: string): 'gzip' | 'zstd' | undefined {
  refuseForeign(head, what);
  const encoding = detectEncoding(head, true);
  return encoding === 'gzip' || encoding === 'zstd' ? encoding : undefined;
}

function refuseForeign(head: Uint8Array, what: string): void {
  for (const [name, magic, program] of FOREIGN) {
    if (magic.every((byte, i) => head[i] === byte)) {
      throw new ClipError('UNSUPPORTED', `${what} is compressed with ${name}`, {
        hint: `decompress it first: ${program} FILE; gzip and zstd are read as they are`,
      });
    }
  }
}
