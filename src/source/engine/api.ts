/** The two calls of the engine API that an image is read by (Docker Engine API, § Images; podman speaks the same). */

import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { ClipError } from '../../errors.js';
import { abortError, errorCode } from '../../http/errors.js';
import type { ConnectionOptions } from '../../http/options.js';
import { silentObserver } from '../../observer.js';
import { quote } from '../../reference/invalid.js';
import type { ReadOptions } from '../source.js';
import { type EngineEndpoint, printEndpoint } from './endpoint.js';

export interface EngineApi {
  /** The image's id, `sha256:<hex>`. Throws NOT_FOUND, DENIED, NETWORK, TIMEOUT, REGISTRY. */
  inspect(name: string, options?: ReadOptions): Promise<string>;
  /** The image as `docker save` writes it. Throws the same. */
  export(name: string, options?: ReadOptions): AsyncGenerator<Uint8Array>;
}

const MAX_ANSWER = 4 << 20;
/** An engine may first put the whole archive together before it sends the first byte. */
const EXPORT_TIMEOUT = 600_000;
const TIMED_OUT = Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' });

export function createEngineApi(endpoint: EngineEndpoint, connection: ConnectionOptions): EngineApi {
  const where = printEndpoint(endpoint);

  async function get(path: string, timeout: number, options: ReadOptions): Promise<IncomingMessage> {
    const { signal, observer = silentObserver } = options;
    if (signal?.aborted === true) throw abortError(signal);
    observer.emit({ type: 'request', method: 'GET', url: `engine ${where}${path}` });
    return await new Promise<IncomingMessage>((resolve, reject) => {
      const request = send(path, resolve);
      request.setTimeout(timeout, () => request.destroy(TIMED_OUT));
      request.on('error', (error) =>
        reject(signal?.aborted === true ? abortError(signal) : engineError(error)),
      );
      const stop = () => request.destroy();
      signal?.addEventListener('abort', stop, { once: true });
      request.once('close', () => signal?.removeEventListener('abort', stop));
      request.end();
    });
  }

  function send(path: string, onResponse: (response: IncomingMessage) => void): ClientRequest {
    const headers = { host: 'docker', 'user-agent': 'clip' };
    if (endpoint.kind === 'socket')
      return httpRequest({ socketPath: endpoint.path, path, headers }, onResponse);
    const { url, tls } = endpoint;
    const target = new URL(path, url);
    if (url.protocol === 'http:') return httpRequest(target, onResponse);
    // TLS is loaded only where it is spoken.
    const https = process.getBuiltinModule('node:https');
    return https.request(target, { ...tls, rejectUnauthorized: !connection.insecure }, onResponse);
  }

  async function* body(response: IncomingMessage, options: ReadOptions): AsyncGenerator<Uint8Array> {
    const { signal, observer = silentObserver } = options;
    let begun = false;
    let stalled = false;
    response.socket.once('timeout', () => {
      stalled = true;
    });
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        // Before that the engine may have had to put the whole archive together.
        if (!begun) response.socket.setTimeout(connection.idleTimeout);
        begun = true;
        observer.emit({ type: 'fetched', bytes: chunk.length });
        yield chunk;
      }
    } catch (error) {
      if (signal?.aborted === true) throw abortError(signal);
      throw engineError(stalled ? TIMED_OUT : error);
    } finally {
      response.destroy();
    }
  }

  async function text(response: IncomingMessage, options: ReadOptions): Promise<string> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of body(response, options)) {
      size += chunk.length;
      if (size > MAX_ANSWER)
        throw new ClipError('LIMIT', `the engine's answer is larger than ${MAX_ANSWER} bytes`, {
          hint: 'is this a container engine?',
        });
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  async function check(response: IncomingMessage, name: string, options: ReadOptions): Promise<void> {
    const status = response.statusCode ?? 0;
    if (status === 200) return;
    const said = field(await text(response, options), 'message');
    const suffix = typeof said === 'string' ? `: ${quote(said).slice(1, -1)}` : '';
    if (status === 404) {
      throw new ClipError('NOT_FOUND', `the engine at ${where} has no image ${quote(name)}${suffix}`, {
        hint: 'docker images lists what it has; an image in a registry needs no docker-daemon: in front.',
      });
    }
    throw new ClipError('REGISTRY', `the engine at ${where} answered with status ${status}${suffix}`, {
      hint: 'is this the socket of a Docker or podman engine?',
    });
  }

  function engineError(error: unknown): unknown {
    if (error instanceof ClipError) return error;
    const code = errorCode(error);
    const hint = 'start the engine, or name its socket: DOCKER_HOST=unix:///run/user/1000/podman/podman.sock';
    if (code === 'EACCES' || code === 'EPERM') {
      return new ClipError('DENIED', `the engine's socket ${where} may not be used`, {
        hint: 'run as a user who may use the engine, or name another with DOCKER_HOST',
        cause: error,
      });
    }
    if (code === 'ETIMEDOUT')
      return new ClipError('TIMEOUT', `the engine at ${where} does not answer`, { hint, cause: error });
    const text =
      code === 'ENOENT' || code === 'ECONNREFUSED'
        ? `no engine listens at ${where}`
        : `the connection to the engine at ${where} broke (${code || 'unknown'})`;
    return new ClipError('NETWORK', text, { hint, cause: error });
  }

  return {
    async inspect(name, options = {}) {
      const response = await get(`/images/${path(name)}/json`, connection.headersTimeout, options);
      await check(response, name, options);
      const id = field(await text(response, options), 'Id');
      const hex = typeof id === 'string' ? /^(?:sha256:)?([0-9a-f]{64})$/.exec(id)?.[1] : undefined;
      if (hex !== undefined) return `sha256:${hex}`;
      throw new ClipError('REGISTRY', `the engine at ${where} names no id of the image ${quote(name)}`, {
        hint: 'is this the socket of a Docker or podman engine?',
      });
    },
    async *export(name, options = {}) {
      const response = await get(`/images/${path(name)}/get`, EXPORT_TIMEOUT, options);
      await check(response, name, options);
      yield* body(response, options);
    },
  };
}

/** A reference holds nothing that has to be escaped; what would be is no reference. */
function path(name: string): string {
  return encodeURI(name).replaceAll('?', '%3F').replaceAll('#', '%23');
}

function field(text: string, key: string): unknown {
  try {
    return (JSON.parse(text) as Record<string, unknown> | null)?.[key];
  } catch {
    return undefined;
  }
}
