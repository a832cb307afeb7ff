import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createDiskTier } from '../../src/cache/disk.js';
import { createMemoryTier } from '../../src/cache/memory.js';
import { createTieredCache } from '../../src/cache/tiered.js';
import { type ClipEvent, fanOut } from '../../src/observer.js';
import type { Decoders } from '../../src/read/decoders.js';
import { createImageReader, type ImageReader } from '../../src/read/reader.js';
import { createReceipt, type Receipt } from '../../src/read/receipt.js';
import type { Strategy } from '../../src/read/strategy.js';
import { type FakeImage, recorder, zlibDecoders } from './fake-image.js';

export interface Reading {
  reader: ImageReader;
  receipt: Receipt;
  events: ClipEvent[];
}

export interface ReadingOptions {
  strategy?: Strategy;
  /** Bytes; 0: no memory tier. */
  memory?: number;
  /** Folder of the disk tier; none without it. */
  cacheDir?: string;
  quota?: number;
  /** Default: Node's zlib, which knows gzip members only. */
  decoders?: Decoders;
}

/** A reader of a fake image with tiers of its own. */
export function reading(image: FakeImage, options: ReadingOptions = {}): Reading {
  const { strategy = 'span', memory = 16 << 20, cacheDir, quota = 1 << 30 } = options;
  const receipt = createReceipt();
  const record = recorder();
  const observer = fanOut(receipt, record);
  const cache = createTieredCache({
    memory: memory > 0 ? createMemoryTier(memory, observer) : undefined,
    lower: cacheDir === undefined ? [] : [createDiskTier({ cacheDir, quota, observer })],
    observer,
  });
  const reader = createImageReader({
    index: image.index,
    source: async () => image.source,
    cache,
    strategy,
    observer,
    decoders: options.decoders ?? zlibDecoders,
  });
  return { reader, receipt, events: record.events };
}

/** A folder that goes with the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'clip-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
