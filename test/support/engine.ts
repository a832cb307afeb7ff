/**
 * A stand-in for the Docker and podman engines that speaks the export part of their documented API over a unix socket:
 * `GET /images/{name}/json` and `GET /images/{name}/get` (Docker Engine API 1.4x, § Images).
 *
 *   const engine = await startEngine(join(folder, 'docker.sock'));
 *   engine.images.set('demo:v1', { id: 'sha256:…', archive: bytes });
 *   … with DOCKER_HOST=engine.host …
 */

import { createServer, type ServerResponse } from 'node:http';

export interface EngineImage {
  /** `sha256:<hex>`; the image answers to it as well as to its name. */
  id: string;
  /** What `docker save` writes. */
  archive: Uint8Array;
}

export interface Engine {
  /** For DOCKER_HOST. */
  host: string;
  images: Map<string, EngineImage>;
  /** Paths in the order they were asked for. */
  log: string[];
  /** What becomes of an export after so many bytes: the connection is cut, ends as if all were well, or is silent. */
  broken: { after: number; how: 'cut' | 'end' | 'stall' } | undefined;
  stop(): Promise<void>;
}

export async function startEngine(socket: string): Promise<Engine> {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '');
    engine.log.push(path);
    const [, name, action] = /^(?:\/v1\.[0-9]+)?\/images\/(.+)\/(json|get)$/.exec(path) ?? [];
    const image = [...engine.images].find(([key, { id }]) => key === name || id === name)?.[1];
    if (image === undefined) return json(response, 404, { message: `No such image: ${name}` });
    if (action === 'json') return json(response, 200, { Id: image.id, RepoTags: [name], Os: 'linux' });
    response.writeHead(200, { 'content-type': 'application/x-tar' });
    if (engine.broken === undefined) return response.end(image.archive);
    const { after, how } = engine.broken;
    response.write(image.archive.subarray(0, after), () => {
      if (how === 'cut') response.destroy();
      else if (how === 'end') response.end('{"errorDetail":{"message":"no space left"}}');
    });
  });
  const engine: Engine = {
    host: `unix://${socket}`,
    images: new Map(),
    log: [],
    broken: undefined,
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return engine;
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}
