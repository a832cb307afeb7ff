/** Image configs (image-spec, config.md): what clip needs of them is the platform and the diffIDs. */

import { isDigest } from '../reference/digest.js';
import type { Platform } from './descriptor.js';
import { asArray, asObject, asText, corrupt, own, parseJsonObject } from './json.js';
import { parsePlatformObject } from './parse-descriptor.js';

const MAX_DIFF_IDS = 1024;

export interface ImageConfig {
  /** Missing where the config names no os or architecture. */
  platform: Platform | undefined;
  /** Digests of the uncompressed layers, lowest first. */
  diffIds: readonly string[];
}

/** Throws CORRUPT_IMAGE or LIMIT. */
export function parseConfig(bytes: Uint8Array): ImageConfig {
  const document = parseJsonObject(bytes, 'the image config');
  const rootfs = asObject(own(document, 'rootfs'), 'the image config .rootfs');
  const diffIds = asArray(own(rootfs, 'diff_ids') ?? [], 'the image config .rootfs.diff_ids', MAX_DIFF_IDS);
  const platform = parsePlatformObject(document, 'the image config');
  return { platform, diffIds: diffIds.map((value, i) => parseDiffId(value, i)) };
}

function parseDiffId(value: unknown, i: number): string {
  const what = `the image config .rootfs.diff_ids[${i}]`;
  const digest = asText(value, what);
  if (!isDigest(digest)) throw corrupt(what, 'is no sha256 or sha512 digest');
  return digest;
}
