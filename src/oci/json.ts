/** Reading JSON that someone else wrote: every shape is checked, and what is wrong is named by its path. */

import { ClipError } from '../errors.js';

/** Manifests, image indexes and configs: distribution-spec asks registries to take at least 4 MiB; clip takes no more. */
export const MAX_DOCUMENT = 4 << 20;

export type JsonObject = Readonly<Record<string, unknown>>;

/** Parses a UTF-8 JSON object of at most 4 MiB. Throws LIMIT or CORRUPT_IMAGE; `what` names the document. */
export function parseJsonObject(bytes: Uint8Array, what: string): JsonObject {
  if (bytes.length > MAX_DOCUMENT) {
    throw limit(`${what} is larger than 4 MiB`);
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw corrupt(what, 'is not JSON');
  }
  return asObject(value, what);
}

function limit(message: string): ClipError {
  return new ClipError('LIMIT', message, { hint: 'this is no ordinary image' });
}

export function corrupt(what: string, problem: string): ClipError {
  return new ClipError('CORRUPT_IMAGE', `${what} ${problem}`, {
    hint: 'the image is damaged or was made by a faulty tool; pull or push it anew',
  });
}

export function asObject(value: unknown, what: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw corrupt(what, 'is not an object');
  return value as JsonObject;
}

export function asArray(value: unknown, what: string, max: number): readonly unknown[] {
  if (!Array.isArray(value)) throw corrupt(what, 'is not an array');
  if (value.length > max) throw limit(`${what} has more than ${max} elements`);
  return value;
}

/** A string of at most `max` characters without control characters. */
export function asText(value: unknown, what: string, max = 4096): string {
  if (typeof value !== 'string') throw corrupt(what, 'is not a string');
  if (value.length > max) throw limit(`${what} is longer than ${max} characters`);
  if (/[\u0000-\u001f\u007f]/.test(value)) throw corrupt(what, 'holds control characters');
  return value;
}

/** Optional string; null counts as missing, as Go's encoders write it. */
export function optionalText(object: JsonObject, key: string, what: string): string | undefined {
  const value = own(object, key);
  return value === undefined || value === null || value === '' ? undefined : asText(value, `${what}.${key}`);
}

/** The object's own property: a key such as `__proto__` or `constructor` never reaches the prototype. */
export function own(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}
