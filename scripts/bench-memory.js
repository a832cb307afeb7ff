// Resident memory over many reads. `node scripts/bench-memory.js [TARGET] [--reads N] [--memory-cache BYTES]`
//
// Reads random files of an image (default: the bundled one) with a memory tier that is smaller than the image (default 4 MiB) and a
// disk tier, so that all along values come in, are evicted and come in again. The process's resident memory is noted 100 times; the
// result goes to docs/benchmarks/memory-100k-reads.json and .svg. `npm run build` first.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chooseFiles } from '../dist/src/bench/choose-files.js';
import { openImage } from '../dist/src/build/open-image.js';
import { DEFAULT_SPACING } from '../dist/src/build/options.js';
import { DEFAULT_CONNECTION } from '../dist/src/http/options.js';
import { createReceipt } from '../dist/src/read/receipt.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    reads: { type: 'string', default: '100000' },
    'memory-cache': { type: 'string', default: '4194304' },
  },
});
const target = positionals[0] ?? `oci:${join(root, 'fixtures/debian-small')}:latest`;
const reads = Number(values.reads);
const memoryCache = Number(values['memory-cache']);
const MIB = 1 << 20;

const cacheDir = mkdtempSync(join(tmpdir(), 'clip-memory-'));
try {
  const receipt = createReceipt();
  const image = await openImage(target, {
    cacheDir,
    useCache: true,
    memoryCache,
    diskCache: 2 ** 34,
    strategy: 'span',
    spacing: DEFAULT_SPACING,
    offline: false,
    index: 'auto',
    connection: DEFAULT_CONNECTION,
    observer: receipt,
    scanObserver: receipt.scan,
  });
  const nodes = await chooseFiles(image.index, 5000, 1);
  const samples = [];
  let state = 1;
  const began = performance.now();
  for (let i = 0; i <= reads; i++) {
    if (i % Math.ceil(reads / 100) === 0) samples.push({ reads: i, rss: process.memoryUsage.rss() });
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    await image.reader.readAll(nodes[state % nodes.length]);
  }
  const seconds = (performance.now() - began) / 1000;
  const { hits, misses, inflates, bytesRead } = receipt.toJSON();
  await image.close();
  // The first tenth fills the tiers and lets the engine compile; growth after it would be a leak.
  const settled = samples.slice(Math.ceil(samples.length / 10)).map(({ rss }) => rss);
  const result = {
    command: 'node scripts/bench-memory.js',
    target: positionals[0] ?? 'the bundled image',
    node: process.version,
    cores: cpus().length,
    reads,
    memoryCache,
    bytesRead,
    seconds: Math.round(seconds * 10) / 10,
    hits,
    misses,
    inflates,
    rss: {
      first: samples[0].rss,
      settledMin: Math.min(...settled),
      settledMax: Math.max(...settled),
      slopeBytesPerRead: Math.round(slope(samples.slice(Math.ceil(samples.length / 10))) * 100) / 100,
    },
    samples,
  };
  const base = join(root, 'docs/benchmarks/memory-100k-reads');
  writeFileSync(`${base}.json`, `${JSON.stringify(result, null, 1)}\n`);
  writeFileSync(`${base}.svg`, plot(result));
  const { samples: _, ...shown } = result;
  console.log(JSON.stringify(shown, null, 2));
} finally {
  rmSync(cacheDir, { recursive: true, force: true });
}
process.exit(0);

/** Least squares: bytes of resident memory per read. */
function slope(points) {
  const mean = (of) => points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const x = mean((point) => point.reads);
  const y = mean((point) => point.rss);
  const over = points.reduce((sum, point) => sum + (point.reads - x) * (point.rss - y), 0);
  return over / points.reduce((sum, point) => sum + (point.reads - x) ** 2, 0);
}

function plot({ samples, memoryCache, reads: total, target: read, node }) {
  const [width, height, left, bottom, top] = [760, 340, 70, 50, 40];
  const most = Math.ceil(Math.max(...samples.map(({ rss }) => rss)) / (32 * MIB)) * 32 * MIB;
  const x = (value) => left + (value / total) * (width - left - 20);
  const y = (value) => height - bottom - (value / most) * (height - bottom - top);
  const line = samples.map((point) => `${x(point.reads).toFixed(1)},${y(point.rss).toFixed(1)}`).join(' ');
  const marks = [];
  for (let value = 0; value <= most; value += 32 * MIB) {
    marks.push(
      `<line x1="${left}" x2="${width - 20}" y1="${y(value)}" y2="${y(value)}" stroke="#ddd"/>`,
      `<text x="${left - 8}" y="${y(value) + 4}" text-anchor="end">${value / MIB}</text>`,
    );
  }
  for (let value = 0; value <= total; value += total / 5) {
    const label = value.toLocaleString('en');
    marks.push(`<text x="${x(value)}" y="${height - bottom + 18}" text-anchor="middle">${label}</text>`);
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#333">
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="${left}" y="22" font-size="14">Resident memory over ${total.toLocaleString('en')} reads (MiB): ${read}, memory tier ${memoryCache / MIB} MiB, Node ${node}</text>
${marks.join('\n')}
<text x="${(width + left) / 2}" y="${height - 8}" text-anchor="middle">reads</text>
<polyline points="${line}" fill="none" stroke="#0a6" stroke-width="2"/>
</svg>
`;
}
