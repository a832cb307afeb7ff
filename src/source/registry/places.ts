/** Where an image of a registry may be read from: its mirrors, then the registry itself, or where it was moved to. */

import { ClipError } from '../../errors.js';
import type { ConnectionOptions } from '../../http/options.js';
import type { RegistryReference } from '../../reference/image-ref.js';
import { parseReference } from '../../reference/parse-reference.js';
import { parseMirror } from './mirror.js';
import { findRule, type RegistryRule, readRegistriesConf } from './registries-conf.js';

export interface Place {
  reference: RegistryReference;
  connection: ConnectionOptions;
  isMirror: boolean;
}

/** In the order in which they are asked; the last is the registry's own. Throws USAGE, or DENIED for a blocked registry. */
export async function findPlaces(
  reference: RegistryReference,
  connection: ConnectionOptions,
): Promise<Place[]> {
  const rule = findRule(await readRegistriesConf(connection.environment ?? process.env), reference);
  if (rule?.blocked === true) {
    throw new ClipError('DENIED', `the registry ${rule.prefix} is blocked by registries.conf`, {
      hint: 'the file is in /etc/containers or ~/.config/containers; CONTAINERS_REGISTRIES_CONF names another',
    });
  }
  const own = insecureWhere(connection, rule?.insecure === true);
  const moved = rule?.location === undefined ? reference : move(reference, rule.prefix, rule.location);
  return [
    ...flagMirrors(reference, connection),
    ...ruleMirrors(reference, rule, connection),
    { reference: moved, connection: own, isMirror: false },
  ];
}

function flagMirrors(reference: RegistryReference, connection: ConnectionOptions): Place[] {
  return (connection.mirrors ?? [])
    .map(parseMirror)
    .filter(({ registry }) => registry === reference.registry)
    .map(({ registry, location, plainHttp = connection.plainHttp }) => ({
      reference: move(reference, registry, location),
      connection: { ...connection, plainHttp },
      isMirror: true,
    }));
}

function ruleMirrors(
  reference: RegistryReference,
  rule: RegistryRule | undefined,
  connection: ConnectionOptions,
): Place[] {
  if (rule === undefined) return [];
  const kind = reference.digest === undefined ? 'tag-only' : 'digest-only';
  return rule.mirrors
    .filter(({ pull }) => pull === 'all' || pull === kind)
    .map(({ location, insecure }) => ({
      reference: move(reference, rule.prefix, location),
      connection: insecureWhere(connection, insecure),
      isMirror: true,
    }));
}

/** `insecure` there means: whatever certificate, and HTTP where there is no TLS. */
function insecureWhere(connection: ConnectionOptions, insecure: boolean): ConnectionOptions {
  return insecure ? { ...connection, insecure: true, plainFallback: true } : connection;
}

/**
 * The same image with `location` in place of `prefix` (for `*.domain`: in place of the whole host). Tag and digest stay as they are, those
 * of a prefix too.
 */
function move(reference: RegistryReference, prefix: string, location: string): RegistryReference {
  const name = `${reference.registry}/${reference.repository}`;
  const rest = prefix.startsWith('*.') ? name.slice(reference.registry.length) : name.slice(prefix.length);
  const slash = `${location}${rest}`.indexOf('/');
  const registry = `${location}${rest}`.slice(0, slash);
  try {
    const { repository, registry: parsed } = parseReference(`${location}${rest}`);
    // docker.io/debian would become docker.io/library/debian, and a host without a dot a part of the path.
    if (parsed === registry) return { ...reference, registry, repository };
  } catch {
    // Said below.
  }
  throw new ClipError(
    'USAGE',
    `the mirror or location ${JSON.stringify(location)} makes no reference of ${name}`,
    {
      hint: 'write HOST[:PORT][/PATH] in lower case; a host without a dot needs its port',
    },
  );
}
