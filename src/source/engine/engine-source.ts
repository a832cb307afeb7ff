/** Images of a Docker or podman engine: exported over its API once for each image id, and read from the spooled archive. */

import { rmSync } from 'node:fs';
import { ClipError } from '../../errors.js';
import { isLoopback } from '../../http/hosts.js';
import type { ConnectionOptions } from '../../http/options.js';
import { isDigest } from '../../reference/digest.js';
import { openDockerArchive } from '../archive/docker-archive.js';
import {
  findSpooled,
  rememberSpooled,
  requireSpool,
  type SpoolPlace,
  spoolStream,
} from '../archive/spool.js';
import type { ImageSource, ReadOptions } from '../source.js';
import { createEngineApi, type EngineApi } from './api.js';
import { type EngineEndpoint, type Environment, findEngine, printEndpoint } from './endpoint.js';

export interface EngineOptions extends ReadOptions {
  connection: ConnectionOptions;
  offline: boolean;
  spool?: SpoolPlace | undefined;
  environment?: Environment;
}

/**
 * Opens an image by reference or id. What was exported before and is still spooled is read without asking the engine for more
 * than the id, by id without asking at all. Throws USAGE without a spool, OFFLINE, and what the engine and the spool throw.
 */
export async function openEngineImage(reference: string, options: EngineOptions): Promise<ImageSource> {
  const { connection, environment = process.env, spool, offline, ...read } = options;
  const name = `docker-daemon:${reference}`;
  const place = requireSpool(spool, `${name} is exported as a whole and`);
  let api: EngineApi | undefined;
  const engine = () => {
    if (api) return api;
    const endpoint = findEngine(environment);
    checkOffline(endpoint, offline);
    api = createEngineApi(endpoint, connection);
    return api;
  };
  /** An export that fails ends like one that does not: only what can be opened is kept under the image's id. */
  const exported = async (id: string) => {
    const path = await spoolStream(engine().export(id, read), place, { ...read, what: name });
    let copy: ImageSource | undefined;
    try {
      copy = await openCopy(path, { name, id });
      await copy.manifest(undefined, read);
      rememberSpooled(place, keyOf(id), path);
      return path;
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    } finally {
      await copy?.close();
    }
  };
  const openKnown = async (path: string, id: string) => {
    const { openCopySource } = await import('../archive/copy-source.js');
    const open = (at: string) => openCopy(at, { name, id });
    return await openCopySource({ what: name, path, open, again: () => exported(id), ...read });
  };
  const byId = isDigest(reference) ? findSpooled(place, keyOf(reference)) : undefined;
  if (byId !== undefined) return await openKnown(byId, reference);

  const id = await engine().inspect(reference, read);
  return await openKnown(findSpooled(place, keyOf(id)) ?? (await exported(id)), id);
}

/** By its id an index finds just the image that it was built from, whatever the tag means then. */
async function openCopy(path: string, { name, id }: { name: string; id: string }): Promise<ImageSource> {
  return await openDockerArchive({ path, select: {}, name, hint: `docker-daemon:${id}` });
}

function keyOf(id: string): string {
  return `engine ${id}`;
}

function checkOffline(endpoint: EngineEndpoint, offline: boolean): void {
  if (!offline || endpoint.kind === 'socket' || isLoopback(endpoint.url.hostname)) return;
  throw new ClipError(
    'OFFLINE',
    `the engine at ${printEndpoint(endpoint)} is on the network, and --offline forbids it`,
    {
      hint: 'leave out --offline, or name a local copy: --source docker-archive:FILE',
    },
  );
}
