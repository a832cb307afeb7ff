import type { ConnectionOptions } from '../../http/options.js';
import type { RegistryReference } from '../../reference/image-ref.js';
import { createCredentialFinder } from '../credentials/find-credentials.js';
import type { ImageSource } from '../source.js';
import { findPlaces, type Place } from './places.js';
import { openRegistry } from './registry-source.js';

/**
 * An image by its reference, from the mirrors that the user has configured for its registry or from the registry. Nothing is asked
 * yet. Throws USAGE for a wrong mirror or registries.conf, DENIED for a blocked registry.
 */
export async function openRegistryImage(
  reference: RegistryReference,
  connection: ConnectionOptions,
): Promise<ImageSource> {
  const places = await findPlaces(reference, connection);
  const sources = places.map((place) => openPlace(place, connection));
  const own = sources[sources.length - 1]!;
  if (sources.length === 1) return own;
  const { createFallbackSource } = await import('../fallback-source.js');
  return createFallbackSource(sources);
}

function openPlace(
  { reference, connection, isMirror }: Place,
  { environment = process.env }: ConnectionOptions,
): ImageSource {
  if (!isMirror)
    return openRegistry(reference, { connection, findCredentials: createCredentialFinder(environment) });
  // The login in these variables is for the registry that was named; and there is somebody else to ask after one failure.
  const { CLIP_USERNAME: _, CLIP_PASSWORD: __, ...others } = environment;
  return openRegistry(reference, {
    connection: { ...connection, tries: 1 },
    findCredentials: createCredentialFinder(others),
  });
}
