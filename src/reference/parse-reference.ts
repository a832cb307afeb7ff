/**
 * The grammar of image references (distribution/reference, `reference.go` and `normalize.go`):
 * `[domain/]path[:tag][@digest]`, with docker's short names: `debian` is `docker.io/library/debian:latest`.
 */

import { isDigest } from './digest.js';
import type { RegistryReference } from './image-ref.js';
import { invalidReference, quote } from './invalid.js';

const DEFAULT_REGISTRY = 'docker.io';
const MAX_REPOSITORY = 255;
const MAX_TAG = 128;
/** Longest text worth looking at: a host of 253, a port, the repository, a tag and a sha512 digest fit. */
const MAX_TEXT = 1024;

const HOST = /^[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*$/;
const COMPONENT = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;

/** Parses and normalises. Throws INVALID_REFERENCE with the part that is wrong. */
export function parseReference(text: string): RegistryReference {
  if (text === '') throw invalidReference(text, 'it is empty');
  if (text.length > MAX_TEXT) throw invalidReference(text, `it is longer than ${MAX_TEXT} characters`);
  if (/^[0-9a-f]{64}$/.test(text)) {
    throw invalidReference(text, 'this is a bare hash, not a name', 'write name@sha256:<hash>');
  }
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : parseDigestPart(text, at);
  const named = at < 0 ? text : text.slice(0, at);
  const slash = named.indexOf('/');
  const { registry, rest, start } = splitRegistry(text, named, slash);
  const colon = rest.indexOf(':');
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? undefined : parseTag(text, rest.slice(colon + 1), start + colon + 1);
  checkPath(text, path, start);
  const repository = registry === DEFAULT_REGISTRY && !path.includes('/') ? `library/${path}` : path;
  if (repository.length > MAX_REPOSITORY) {
    throw invalidReference(text, `the repository is longer than ${MAX_REPOSITORY} characters`);
  }
  return { registry, repository, tag: tag ?? (digest === undefined ? 'latest' : undefined), digest };
}

/** The first component is a registry when it has a dot, a colon or an upper-case letter, or is `localhost`. */
function splitRegistry(
  text: string,
  named: string,
  slash: number,
): { registry: string; rest: string; start: number } {
  const first = slash < 0 ? '' : named.slice(0, slash);
  const isRegistry = slash >= 0 && (/[.:A-Z]/.test(first) || first === 'localhost' || first === '');
  if (!isRegistry) return { registry: DEFAULT_REGISTRY, rest: named, start: 0 };
  checkRegistry(text, first);
  const registry = first === 'index.docker.io' ? DEFAULT_REGISTRY : first;
  return { registry, rest: named.slice(slash + 1), start: slash + 1 };
}

function checkRegistry(text: string, registry: string): void {
  if (registry === '') throw invalidReference(text, 'nothing stands before the first "/"');
  const bracket = registry.startsWith('[') ? registry.indexOf(']') : -1;
  if (registry.startsWith('[')) {
    if (bracket < 0) throw invalidReference(text, 'the IPv6 host has no closing "]"');
    if (!isIPv6(registry.slice(1, bracket))) {
      throw invalidReference(text, `${quote(registry.slice(0, bracket + 1))} is not an IPv6 address`);
    }
  }
  const colon = registry.indexOf(':', bracket + 1);
  const host = colon < 0 ? registry : registry.slice(0, colon);
  if (bracket < 0 && !HOST.test(host)) throw invalidReference(text, `${quote(host)} is not a host name`);
  if (bracket >= 0 && host.length !== bracket + 1) {
    throw invalidReference(text, 'only ":port" can follow the "]" of an IPv6 host');
  }
  if (colon < 0) return;
  const port = registry.slice(colon + 1);
  if (!/^[0-9]{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535) {
    throw invalidReference(text, `${quote(port)} is not a port (1 to 65535)`);
  }
}

/** Textual IPv6 address (RFC 4291 § 2.2), without a zone. */
function isIPv6(text: string): boolean {
  if (!/^[0-9a-fA-F:]+$/.test(text)) return false;
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  return halves.length === 2 ? groups.length <= 7 : groups.length === 8;
}

function checkPath(text: string, path: string, start: number): void {
  if (path === '') throw invalidReference(text, `the name is missing at character ${start + 1}`);
  let position = start;
  for (const component of path.split('/')) {
    if (component === '')
      throw invalidReference(text, `an empty path component at character ${position + 1}`);
    if (!COMPONENT.test(component)) {
      const hint = /[A-Z]/.test(component)
        ? 'names of repositories are lower-case'
        : 'use a–z and 0–9, joined by ".", "_", "__" or dashes';
      throw invalidReference(
        text,
        `${quote(component)} at character ${position + 1} is no path component`,
        hint,
      );
    }
    position += component.length + 1;
  }
}

function parseTag(text: string, tag: string, position: number): string {
  if (tag === '') throw invalidReference(text, `the tag is missing after ":" at character ${position}`);
  if (tag.length > MAX_TAG) throw invalidReference(text, `the tag is longer than ${MAX_TAG} characters`);
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(tag)) {
    const hint = 'a tag is made of letters, digits, "_", "." and "-", and does not begin with "." or "-"';
    throw invalidReference(text, `${quote(tag)} at character ${position + 1} is no tag`, hint);
  }
  return tag;
}

function parseDigestPart(text: string, at: number): string {
  const digest = text.slice(at + 1);
  if (isDigest(digest)) return digest;
  throw invalidReference(
    text,
    `${quote(digest)} after "@" is no digest`,
    'a digest is sha256: and 64, or sha512: and 128, lower-case hex digits',
  );
}
