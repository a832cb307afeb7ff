import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createClaims } from '../cache/claims.js';
import { spansFolder } from '../cache/disk-files.js';
import { isFile } from '../cache/is-file.js';
import { readWhole } from '../cache/read-whole.js';
import { FORMAT_MAJOR, FORMAT_MINOR } from '../format/limits.js';
import { isDigest } from '../reference/digest.js';
import type { SectionStore } from './layer-sections.js';
import { OWN_PLACE, writeFileWhole } from './write-file.js';

/**
 * The local index store, `<cache-dir>/index/`. Names are made of digests, the spacing and the format's version alone, so
 * processes that build the same index write the same bytes under the same name.
 *
 *   <manifest digest>-<spacing>-v<format>.clip     the index of an image
 *   mixed/…                                        the same, with sections of layers that others pushed to a registry
 *   found/…                                        indexes in registries, see found-store.ts
 *   layers/<layer digest>-<spacing>-v<format>      the section of one layer, for every image that has that layer
 *   names/<sha256 of name and platform>            the manifest a name stood for when it was last resolved (for --offline)
 */
export interface IndexStore {
  /** The folder that the store is below. */
  readonly cacheDir: string;
  indexPath(manifestDigest: string, spacing: number): string;
  /** The place of an index that was put together here with sections of layers that others pushed to a registry. */
  mixedPath(manifestDigest: string, spacing: number): string;
  /** The path, if there is an index that was built here or pulled: with this spacing, else with another. */
  find(manifestDigest: string, spacing: number): Promise<string | undefined>;
  /** The paths of all of them, with whatever spacing. */
  findAll(manifestDigest: string): Promise<string[]>;
  sections: SectionStore;
  /** Remembers what a name stood for. Failing to is not an error. */
  remember(name: string, platform: string, manifestDigest: string): Promise<void>;
  recall(name: string, platform: string): Promise<string | undefined>;
}

/** Bytes of one layer's section: that of a layer of a hundred gigabytes has half of it. */
export const MAX_SECTION = 1024 ** 3;
/** Bytes of the digest that a name stood for, a newline behind it. */
const MAX_NAME = 256;

/** Where the store of a cache folder lies. */
export function indexFolder(cacheDir: string): string {
  return join(cacheDir, 'index');
}

export function openIndexStore(cacheDir: string): IndexStore {
  const root = indexFolder(cacheDir);
  const keyed = (digest: string, spacing: number) =>
    `${digest.replace(':', '-')}-${spacing}-v${FORMAT_MAJOR}.${FORMAT_MINOR}`;
  const indexPath = (digest: string, spacing: number) => join(root, `${keyed(digest, spacing)}.clip`);
  const mixedPath = (digest: string, spacing: number) =>
    join(root, 'mixed', `${keyed(digest, spacing)}.clip`);
  const sectionPath = (digest: string, spacing: number) => join(root, 'layers', keyed(digest, spacing));
  const namePath = (name: string, platform: string) =>
    join(root, 'names', createHash('sha256').update(`${name}\n${platform}`).digest('hex'));
  return {
    cacheDir,
    indexPath,
    mixedPath,
    // What is no file was not put there by clip, and gives way to what is built.
    async find(digest, spacing) {
      const path = indexPath(digest, spacing);
      return isFile(path) ? path : (await this.findAll(digest))[0];
    },
    async findAll(digest) {
      const names = await readdir(root).catch(() => []);
      const [prefix, suffix] = [`${digest.replace(':', '-')}-`, `-v${FORMAT_MAJOR}.${FORMAT_MINOR}.clip`];
      return names
        .filter((name) => name.startsWith(prefix) && name.endsWith(suffix))
        .sort()
        .map((name) => join(root, name))
        .filter(isFile);
    },
    sections: {
      get: async (digest, spacing) => readWhole(sectionPath(digest, spacing), MAX_SECTION),
      put: (digest, spacing, section) => writeFileWhole(sectionPath(digest, spacing), [section], OWN_PLACE),
      claims: createClaims(spansFolder(cacheDir)),
    },
    async remember(name, platform, manifestDigest) {
      if ((await this.recall(name, platform)) === manifestDigest) return;
      await writeFileWhole(namePath(name, platform), [Buffer.from(`${manifestDigest}\n`)], OWN_PLACE).catch(
        () => {},
      );
    },
    async recall(name, platform) {
      const digest = readWhole(namePath(name, platform), MAX_NAME)?.toString('latin1').trim() ?? '';
      return isDigest(digest) ? digest : undefined;
    },
  };
}
