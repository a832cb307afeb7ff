import { isDigest } from '../reference/digest.js';
import type { Descriptor, Platform } from './descriptor.js';
import { asArray, asObject, asText, corrupt, optionalText, own } from './json.js';

const MAX_URLS = 16;
const MAX_ANNOTATIONS = 1024;

/** Validates a descriptor (image-spec, descriptor.md). `what` names its place. Throws CORRUPT_IMAGE or LIMIT. */
export function parseDescriptor(value: unknown, what: string): Descriptor {
  const object = asObject(value, what);
  const digest = asText(own(object, 'digest'), `${what}.digest`);
  if (!isDigest(digest)) throw corrupt(`${what}.digest`, 'is no sha256 or sha512 digest');
  const size = own(object, 'size');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw corrupt(`${what}.size`, 'is no size in bytes');
  }
  const descriptor: Descriptor = { mediaType: optionalText(object, 'mediaType', what) ?? '', digest, size };
  const urls = own(object, 'urls');
  if (urls !== undefined && urls !== null) {
    descriptor.urls = asArray(urls, `${what}.urls`, MAX_URLS).map((url) => asText(url, `${what}.urls`, 8192));
  }
  const annotations = parseAnnotations(own(object, 'annotations'), `${what}.annotations`);
  if (annotations !== undefined) descriptor.annotations = annotations;
  const artifactType = optionalText(object, 'artifactType', what);
  if (artifactType !== undefined) descriptor.artifactType = artifactType;
  const platform = own(object, 'platform');
  if (platform !== undefined && platform !== null) {
    const parsed = parsePlatformObject(platform, `${what}.platform`);
    if (parsed !== undefined) descriptor.platform = parsed;
  }
  return descriptor;
}

/** Annotations are free text; only their shape and number are checked. Own properties all, `__proto__` too. */
function parseAnnotations(value: unknown, what: string): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null) return undefined;
  const entries = Object.entries(asObject(value, what));
  asArray(entries, what, MAX_ANNOTATIONS);
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

/** A platform with both os and architecture, else undefined (some tools write empty ones). */
export function parsePlatformObject(value: unknown, what: string): Platform | undefined {
  const object = asObject(value, what);
  const os = optionalText(object, 'os', what);
  const architecture = optionalText(object, 'architecture', what);
  if (os === undefined || architecture === undefined) return undefined;
  const platform: Platform = { os, architecture };
  const variant = optionalText(object, 'variant', what);
  if (variant !== undefined) platform.variant = variant;
  const version = optionalText(object, 'os.version', what);
  if (version !== undefined) platform['os.version'] = version;
  return platform;
}
