/** Images as users type them: a reference, or a transport as skopeo writes it (containers-transports(5)). */

import { isClipError } from '../errors.js';
import { isDigest } from './digest.js';
import type { ImageRef, Selection } from './image-ref.js';
import { invalidReference, quote, withoutLogin } from './invalid.js';
import { parseReference } from './parse-reference.js';
import { printFamiliar } from './print-image.js';
import { FOREIGN } from './transports.js';

/** Names in a layout's or archive's annotations (containers/image, `internal.ValidateImageName`). */
const IMAGE_NAME =
  /^[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*(?:\/[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*)*$/;

/**
 * Parses `docker://REF`, `oci:DIR[:NAME]`, `oci-archive:FILE[:NAME]`, `docker-archive:FILE[:REF]`, `docker-daemon:REF`,
 * `tar:FILE`, or a plain reference. In a layout or archive `:@N` chooses by number; `@sha256:…` after DIR or FILE by digest.
 * Throws INVALID_REFERENCE.
 */
export function parseImage(text: string): ImageRef {
  if (text.includes('\0')) throw invalidReference(text, 'it holds a NUL character');
  const colon = text.indexOf(':');
  const transport = colon < 0 ? '' : text.slice(0, colon);
  const rest = text.slice(colon + 1);
  if (rest.startsWith('//') && transport !== 'docker') return schemeError(text, transport);
  switch (transport) {
    case 'docker':
      // `docker:24` is the tag of an image on Docker Hub; only `docker://` is the transport.
      if (rest.startsWith('//')) return { transport, reference: parseTransported(text, rest.slice(2)) };
      break;
    case 'oci':
    case 'oci-archive':
      return { transport, ...splitPath(text, rest, IMAGE_NAME) };
    case 'docker-archive':
      return dockerArchive(text, rest);
    case 'docker-daemon':
      if (isDigest(rest)) return { transport, reference: rest };
      return { transport, reference: printFamiliar(parseTransported(text, rest)) };
    case 'tar':
      if (rest === '') throw invalidReference(text, 'the file is missing after "tar:"');
      return { transport, path: rest };
    default:
      if (Object.hasOwn(FOREIGN, transport)) {
        throw invalidReference(text, `the transport "${transport}:" cannot be read`, FOREIGN[transport]);
      }
  }
  return { transport: 'docker', reference: parseReference(text) };
}

/** A transport's reference; errors show the text as the user typed it. */
function parseTransported(text: string, reference: string): ReturnType<typeof parseReference> {
  if (reference === '') throw invalidReference(text, 'the name is missing after the transport');
  try {
    return parseReference(reference);
  } catch (error) {
    if (!isClipError(error, 'INVALID_REFERENCE')) throw error;
    const problem = error.message.replace(/^invalid image reference "(?:[^"\\]|\\.)*": /, '');
    throw invalidReference(text, `in ${quote(withoutLogin(reference))}: ${problem}`, error.hint);
  }
}

function schemeError(text: string, scheme: string): never {
  if (scheme === 'http' || scheme === 'https') {
    const hint = 'leave the scheme out; --plain-http asks for HTTP';
    throw invalidReference(text, 'a reference has no URL scheme', hint);
  }
  if (['oci', 'oci-archive', 'docker-archive', 'tar'].includes(scheme)) {
    throw invalidReference(text, `"${scheme}:" is followed by a path, not by "//"`, `write ${scheme}:PATH`);
  }
  throw invalidReference(text, `the transport ${quote(`${scheme}://`)} is not known`);
}

/** `PATH`, `PATH:NAME`, `PATH:@N` or `PATH@DIGEST`. As with skopeo, a path cannot hold a colon. */
function splitPath(text: string, rest: string, names: RegExp): { path: string; select: Selection } {
  const pinned = /^([^:]+)@([^:@]+:[^:]*)$/.exec(rest);
  if (pinned !== null && isDigest(pinned[2]!)) return { path: pinned[1]!, select: { digest: pinned[2]! } };
  const colon = rest.indexOf(':');
  const path = colon < 0 ? rest : rest.slice(0, colon);
  if (path === '') throw invalidReference(text, 'the path is missing after the transport');
  if (colon < 0) return { path, select: {} };
  const name = rest.slice(colon + 1);
  if (name === '') throw invalidReference(text, 'the name is missing after the last ":"');
  if (name.startsWith('@')) return { path, select: { number: parseNumber(text, name) } };
  if (!names.test(name)) throw invalidReference(text, `${quote(name)} is not a name of an image in a layout`);
  return { path, select: { name } };
}

function dockerArchive(text: string, rest: string): ImageRef {
  const { path, select } = splitPath(text, rest, /^/);
  if (select.name === undefined) return { transport: 'docker-archive', path, select };
  const reference = parseTransported(text, select.name);
  return { transport: 'docker-archive', path, select: { name: printFamiliar(reference) } };
}

function parseNumber(text: string, name: string): number {
  if (!/^@(?:0|[1-9][0-9]{0,5})$/.test(name))
    throw invalidReference(text, `${quote(name)} is no number of an image`);
  return Number(name.slice(1));
}
