/**
 * Bytes of blobs from a registry that may do anything: stop in mid-blob, send another range, ignore ranges, never end.
 *
 * What is delivered is always the bytes at the asked offsets as the registry has them, in order, exactly as many as asked;
 * whether they are the right ones only the digest says, and that is for who consumes them. A transfer that breaks goes on
 * where it broke. A registry that does not do ranges is read from the start and the beginning thrown away, without holding it.
 */

import { ClipError } from '../../errors.js';
import { isRetryable } from '../../http/errors.js';
import type { ConnectionOptions } from '../../http/options.js';
import { backoff, pause } from '../../http/retry.js';
import type { HttpResponse } from '../../http/transport.js';
import { silentObserver } from '../../observer.js';
import type { Descriptor } from '../../oci/descriptor.js';
import type { ReadOptions } from '../source.js';
import { parseContentRange } from './content-range.js';
import { registryError } from './registry-error.js';

/** A connection that brought this much was worth it: the count of failures starts anew. */
const PROGRESS = 64 << 10;

export interface BlobLocator {
  /** The response for a GET of the blob, whatever its status. */
  get(
    descriptor: Descriptor,
    headers: Readonly<Record<string, string>>,
    options: ReadOptions,
  ): Promise<HttpResponse>;
}

export interface BlobReader {
  /** [start, end) of the blob. */
  read(descriptor: Descriptor, start: number, end: number, options: ReadOptions): AsyncGenerator<Uint8Array>;
}

/** `host` is who answers and wants the login, `home` what the blobs belong to, both for messages. */
export function createBlobReader(
  locator: BlobLocator,
  settings: { host: string; home: string; connection: ConnectionOptions },
): BlobReader {
  const { connection, host, home } = settings;
  let rangesWork = true;

  async function* read(
    descriptor: Descriptor,
    start: number,
    end: number,
    options: ReadOptions,
  ): AsyncGenerator<Uint8Array> {
    checkBounds(descriptor, start, end);
    let position = start;
    for (let failures = 0; position < end; ) {
      const before = position;
      try {
        for await (const chunk of open(descriptor, position, end, options)) {
          position += chunk.length;
          yield chunk;
        }
        if (position < end && position - before < PROGRESS && ++failures >= connection.tries) {
          rangesIgnored(options, 'its answers are shorter than what was asked for');
        }
      } catch (error) {
        if (!isRetryable(error)) throw error;
        failures = position - before >= PROGRESS ? 1 : failures + 1;
        if (failures >= connection.tries) throw error;
        await pause(backoff(failures, connection.retryDelay), options.signal);
      }
    }
  }

  /** One transfer: at most [position, end), at least one byte or an error. */
  async function* open(
    descriptor: Descriptor,
    position: number,
    end: number,
    options: ReadOptions,
  ): AsyncGenerator<Uint8Array> {
    const ranged = rangesWork && !(position === 0 && end === descriptor.size);
    const headers = ranged ? { range: `bytes=${position}-${end - 1}` } : {};
    const response = await locator.get(descriptor, headers, options);
    const { status } = response;
    if (status === 200) {
      if (ranged) rangesIgnored(options, 'it sends the whole blob');
      checkLength(response, descriptor.size, descriptor);
      yield* cut(response, { skip: position, length: end - position, descriptor });
    } else if (ranged && status === 206) {
      const given = parseContentRange(response.headers['content-range']);
      const problem = rangeProblem(given, { first: position, last: end - 1 });
      if (given === undefined || problem !== undefined) {
        response.body.abort();
        rangesIgnored(options, problem ?? 'its answer names no range');
        yield* open(descriptor, position, end, options);
        return;
      }
      if (given.total !== undefined && given.total !== descriptor.size) {
        response.body.abort();
        throw wrongSize(given.total, descriptor.size);
      }
      const length = given.last - position + 1;
      checkLength(response, length, descriptor);
      yield* cut(response, { skip: 0, length, descriptor });
    } else if (ranged && status === 416) {
      // The range lies inside the blob: either the blob is another one, or the registry cannot count.
      await response.body.discard();
      rangesIgnored(options, 'it calls a range inside the blob unsatisfiable');
      yield* open(descriptor, position, end, options);
    } else {
      throw await registryError(response, { what: `blob ${descriptor.digest} of ${home}`, login: host });
    }
  }

  function rangesIgnored(options: ReadOptions, why: string): void {
    if (!rangesWork) return;
    rangesWork = false;
    (options.observer ?? silentObserver).emit({
      type: 'warning',
      code: 'RANGE_IGNORED',
      message: `${host} does not serve ranges: ${why}`,
      hint: 'reads from it download the blob from its start up to what is read; --strategy layer reads it once',
    });
  }

  return { read };
}

function checkBounds(descriptor: Descriptor, start: number, end: number): void {
  if (
    Number.isSafeInteger(start) &&
    Number.isSafeInteger(end) &&
    start >= 0 &&
    start <= end &&
    end <= descriptor.size
  ) {
    return;
  }
  throw new ClipError('CORRUPT_INDEX', `bytes ${start} to ${end} lie outside blob ${descriptor.digest}`, {
    hint: 'the index does not fit the image; build it anew',
  });
}

/** What is wrong with a 206's range: it must begin where asked; it may end earlier, and the rest is then asked for. */
function rangeProblem(
  given: ReturnType<typeof parseContentRange>,
  asked: { first: number; last: number },
): string | undefined {
  if (given === undefined) return 'its answer names no range';
  if (given.first !== asked.first || given.last > asked.last) {
    return `it sent bytes ${given.first}-${given.last} for ${asked.first}-${asked.last}`;
  }
  return undefined;
}

/** A Content-Length that differs from what the manifest or the range says, found out before the transfer. */
function checkLength(response: HttpResponse, expected: number, descriptor: Descriptor): void {
  const encoding = response.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    response.body.abort();
    throw new ClipError(
      'REGISTRY',
      `blob ${descriptor.digest} came with Content-Encoding ${JSON.stringify(encoding)}`,
      {
        hint: 'a proxy between here and the registry changes blobs',
      },
    );
  }
  const length = response.headers['content-length'];
  if (length === undefined || Number(length) === expected) return;
  response.body.abort();
  throw wrongSize(Number(length), expected);
}

function wrongSize(got: number, want: number): ClipError {
  return new ClipError('REGISTRY', `the registry says that the blob has ${got} bytes, the manifest ${want}`, {
    hint: 'the registry or a proxy in front of it is faulty, or the image is damaged',
  });
}

/** Exactly [skip, skip + length) of a body; the rest is not read. A body that ends early is a broken connection. */
async function* cut(
  response: HttpResponse,
  wanted: { skip: number; length: number; descriptor: Descriptor },
): AsyncGenerator<Uint8Array> {
  let { skip, length } = wanted;
  for await (const chunk of response.body) {
    let bytes = chunk;
    if (skip > 0) {
      const skipped = Math.min(skip, bytes.length);
      skip -= skipped;
      bytes = bytes.subarray(skipped);
    }
    if (bytes.length > length) bytes = bytes.subarray(0, length);
    length -= bytes.length;
    if (bytes.length > 0) yield bytes;
    if (length === 0) break;
  }
  if (length > 0) {
    throw new ClipError('NETWORK', `blob ${wanted.descriptor.digest}: the body ended ${length} bytes early`, {
      hint: 'try again; a proxy or the registry closed the connection',
    });
  }
}
