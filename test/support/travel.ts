/** A registry with the bundled image, and clips with caches of their own, for tests of indexes that travel. */
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { withDefaults } from '../../src/build/default-options.js';
import { openImage } from '../../src/build/open-image.js';
import type { OpenOptions } from '../../src/build/options.js';
import { textToByteString } from '../../src/bytes.js';
import type { ClipEvent } from '../../src/observer.js';
import { createReceipt } from '../../src/read/receipt.js';
import { resolvePath } from '../../src/tree/resolve.js';
import { startTestRegistry, type TestRegistry, type TestRegistryOptions } from './registry.js';
import { root, tempDir } from './run-clip.js';

export const SMALL = join(root, 'fixtures/debian-small');

export async function registryWithImage(
  t: TestContext,
  options: TestRegistryOptions = {},
): Promise<{ registry: TestRegistry; image: string; subject: string }> {
  const registry = await startTestRegistry(options);
  t.after(() => registry.stop());
  const subject = await registry.addLayout('demo/app', SMALL, '1');
  return { registry, image: `${registry.host}/demo/app:1`, subject };
}

export interface Machine {
  options: OpenOptions;
  events: ClipEvent[];
  /** Reads a file of an image: what came, what it cost, and where the index came from. */
  cat(target: string, path: string, more?: Partial<OpenOptions>): Promise<Seen>;
}

export interface Seen {
  text: string;
  origin: string;
  identity: string;
  indexPath: string;
  requests: number;
  scans: number;
  scanned: number;
  fetched: number;
}

/** A machine that knows nothing yet. */
export async function machine(t: TestContext, more: Partial<OpenOptions> = {}): Promise<Machine> {
  const events: ClipEvent[] = [];
  const cacheDir = await tempDir(t);
  const observer = { emit: (event: ClipEvent) => void events.push(event) };
  const options = withDefaults({ cacheDir, observer, scanObserver: observer, ...more });
  return {
    options,
    events,
    async cat(target, path, extra = {}) {
      const receipt = createReceipt();
      const emit = (event: ClipEvent) => {
        events.push(event);
        receipt.emit(event);
      };
      const opened = await openImage(target, {
        ...options,
        observer: { emit },
        scanObserver: receipt.scan,
        ...extra,
      });
      try {
        const node = await resolvePath(opened.index, textToByteString(path), { followLast: true });
        const text = (await opened.reader.readAll(node)).toString();
        const { requests, fetchedBytes, scan } = receipt.toJSON();
        return {
          text,
          origin: opened.origin,
          identity: opened.index.identity,
          indexPath: opened.indexPath,
          requests,
          scans: scan.inflates,
          scanned: scan.fetchedBytes,
          fetched: fetchedBytes,
        };
      } finally {
        await opened.close();
      }
    },
  };
}

export const warnings = (events: readonly ClipEvent[]): string[] =>
  events.flatMap((event) => (event.type === 'warning' ? [`${event.code}: ${event.message}`] : []));
