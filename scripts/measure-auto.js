#!/usr/bin/env node
/**
 * Where decoding a whole layer beats decoding its spans one by one: what the rule of `--strategy auto` rests on (docs/cache.md).
 *
 *   npm run build && node scripts/measure-auto.js IMAGE [LAYER] [ROUNDS]
 *
 * Reads random spans of one layer (0-based, default 0) singly, and all of them in one decoder run and in runs of neighbours (as `auto`
 * fetches the rest of a layer), each time from an empty cache; prints what a span costs in each way.
 */
import { withDefaults } from '../dist/src/build/default-options.js';
import { openImage } from '../dist/src/build/open-image.js';
import { createMemoryTier } from '../dist/src/cache/memory.js';
import { createTieredCache } from '../dist/src/cache/tiered.js';
import { silentObserver } from '../dist/src/observer.js';
import { inflateDecoders } from '../dist/src/read/inflate-decoders.js';
import { layerOrigin } from '../dist/src/read/layer-origin.js';
import { createRuns } from '../dist/src/read/runs.js';
import { spanOrigin } from '../dist/src/read/span-origin.js';
import { createThreadUse } from '../dist/src/read/thread-use.js';
import { unitOf } from '../dist/src/read/units.js';

const [image, layer = 0, rounds = 3] = process.argv.slice(2).map((arg, i) => (i === 0 ? arg : Number(arg)));
const opened = await openImage(image, withDefaults({ useCache: false }));
const { index } = opened;
const info = index.layers[layer];
const spans = await index.spans(layer, 0, info.uncompressedSize);
const MANY = 64;

/** Milliseconds to load some units from an empty cache. */
async function time(origin, units, together) {
  const cache = createTieredCache({
    memory: createMemoryTier(4 * 1024 ** 3, silentObserver),
    observer: silentObserver,
  });
  const decoders = async () => inflateDecoders;
  const context = {
    index,
    cache,
    observer: silentObserver,
    decoders,
    threads: createThreadUse(decoders),
    source: opened.source,
    runs: createRuns(),
  };
  const load = async (wanted) => {
    const batch = cache.load(wanted, { origin: origin(context) });
    for (const i of wanted.keys()) await batch.take(i);
    batch.release();
  };
  const started = performance.now();
  if (together) await load(units);
  else for (const unit of units) await load([unit]);
  const taken = performance.now() - started;
  await context.threads.close();
  await cache.close();
  return taken;
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const some = Array.from(
  { length: MANY },
  (_, i) => spans[Math.floor((i * 0.618034 * spans.length) % spans.length)],
);
const perSpan = [];
const perLayer = [];
const perFill = [];
for (let round = 0; round <= rounds; round++) {
  const single = await time(
    (context) => spanOrigin(context, layer, { counted: false }),
    some.map(unitOf),
    false,
  );
  const whole = await time(
    (context) => layerOrigin(context, layer, { counted: false }),
    spans.map(unitOf),
    true,
  );
  const fill = await time(
    (context) => spanOrigin(context, layer, { counted: false }),
    spans.map(unitOf),
    true,
  );
  if (round === 0) continue; // The first warms the code up.
  perSpan.push(single / MANY);
  perLayer.push(whole / spans.length);
  perFill.push(fill / spans.length);
}
const [one, run, fill] = [perSpan, perLayer, perFill].map(median);
console.log(
  `${spans.length} spans, ${(info.uncompressedSize / 2 ** 20).toFixed(0)} MiB of tar, ${info.encoding}`,
);
console.log(
  `a span alone ${one.toFixed(2)} ms; in one run over the layer ${run.toFixed(2)} ms; in runs of neighbours ${fill.toFixed(2)} ms`,
);
console.log(
  `one run over the layer costs as much as ${Math.round((100 * run) / one)} % of its spans alone, runs of neighbours ${Math.round((100 * fill) / one)} %`,
);
await opened.close();
process.exit(0);
