// Compares decoders on one .gz file. `node scripts/bench-inflate.js [FILE.gz] [--runs N] [--spacing BYTES]`
//
// Without a file it packs this machine's /usr (up to 200 MB of tar, gzip -6) into a temporary one. The decoders take turns,
// once per round, so that a noisy machine hurts all alike; the medians' ratios to Node's zlib are what counts, and on a busy machine those of the best rounds. Programs read the
// file and write to /dev/null; the libraries read it from memory in chunks of 1 MiB, the size that suits Node's zlib best.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { constants, createGunzip } from 'node:zlib';
import { Inflate } from 'pako';
import { createGzipDecoder } from '../dist/src/inflate/gzip/decode.js';
import { inflateGzipSpan } from '../dist/src/inflate/gzip/resume.js';
import { createGzipScanner } from '../dist/src/inflate/gzip/scan.js';
import { createSpanDigests } from '../dist/src/inflate/span-digests.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '5' },
    spacing: { type: 'string', default: '1048576' },
  },
});
const CHUNK = 1 << 20;
const runs = Number(values.runs);
const spacing = Number(values.spacing);
const nothing = () => {};

function packThisMachine() {
  const folder = mkdtempSync(join(tmpdir(), 'bench-inflate-'));
  process.on('exit', () => rmSync(folder, { recursive: true }));
  const file = join(folder, 'usr.tar.gz');
  const command = `tar --sort=name -cf - -C / usr/lib usr/share 2>/dev/null | head -c 200000000 | gzip -6 > ${file}`;
  spawnSync('sh', ['-c', command]);
  return file;
}

function* chunks(blob) {
  for (let at = 0; at < blob.length; at += CHUNK) yield blob.subarray(at, at + CHUNK);
}

function decodeBare(blob) {
  const decoder = createGzipDecoder({ data: nothing }, { verify: false });
  for (const chunk of chunks(blob)) decoder.push(chunk);
  decoder.end();
}

function decodeChecked(blob) {
  const decoder = createGzipDecoder({ data: nothing });
  for (const chunk of chunks(blob)) decoder.push(chunk);
  decoder.end();
}

function scan(blob, options) {
  const spans = [];
  const sink = { data: nothing, span: (span, context) => spans.push({ span, context }) };
  const scanner = createGzipScanner(sink, { spacing, ...options });
  for (const chunk of chunks(blob)) scanner.push(chunk);
  scanner.end();
  return spans;
}

async function zlibStream(blob) {
  const gunzip = createGunzip({ chunkSize: CHUNK });
  gunzip.on('data', nothing);
  const ended = new Promise((resolve, reject) => gunzip.on('end', resolve).on('error', reject));
  for (const chunk of chunks(blob)) {
    if (!gunzip.write(chunk)) await new Promise((resolve) => gunzip.once('drain', resolve));
  }
  gunzip.end();
  await ended;
}

function pakoStream(blob) {
  const inflate = new Inflate({ chunkSize: CHUNK });
  inflate.onData = nothing;
  for (const chunk of chunks(blob)) inflate.push(chunk, constants.Z_NO_FLUSH);
}

const file = positionals[0] ?? packThisMachine();
const blob = readFileSync(file);
const spans = scan(blob);
const size = spans.reduce((total, { span }) => total + span.length, 0);
const noHash = () => ({ digests: createSpanDigests(() => ({ update: nothing, digest: () => '' })) });

const contenders = [
  { name: 'clip: decode, no CRC', run: () => decodeBare(blob) },
  { name: 'clip: decode, CRC-32', run: () => decodeChecked(blob) },
  { name: 'clip: scan (marks, CRC-32), no span SHA-256', run: () => scan(blob, noHash()) },
  { name: 'clip: scan (marks, CRC-32, span SHA-256)', run: () => scan(blob) },
  {
    name: 'clip: every span resumed',
    run: () => {
      for (const { span, context } of spans)
        inflateGzipSpan(span, context, blob.subarray(span.byte, span.end));
    },
  },
  { name: 'node:zlib createGunzip, 1 MiB chunks', run: () => zlibStream(blob), base: true },
  { name: 'pako', run: () => pakoStream(blob), once: true },
  ...['gzip', 'pigz', 'igzip']
    .filter((name) => spawnSync(name, ['--version']).status === 0)
    .map((name) => ({
      name: `${name} -dc`,
      run: () => spawnSync('sh', ['-c', `${name} -dc "$0" > /dev/null`, file]),
    })),
];

const times = new Map(contenders.map(({ name }) => [name, []]));
for (let round = 0; round <= runs; round++) {
  for (const { name, run, once } of contenders) {
    if (once && round > 1) continue;
    const start = performance.now();
    await run();
    // The first round warms up: V8 compiles, the file enters the page cache.
    if (round > 0) times.get(name).push((performance.now() - start) / 1000);
  }
}

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const best = (list) => Math.min(...list);
const baseTimes = times.get(contenders.find((contender) => contender.base).name);
console.log(
  `${(blob.length / 1e6).toFixed(1)} MB -> ${(size / 1e6).toFixed(1)} MB, ${spans.length} spans, ${runs} rounds`,
);
for (const { name } of contenders) {
  const list = times.get(name);
  const seconds = median(list);
  const speed = (size / 1e6 / seconds).toFixed(0).padStart(5);
  const ratio = (median(baseTimes) / seconds).toFixed(2);
  const bestRatio = (best(baseTimes) / best(list)).toFixed(2);
  const spread = `${best(list).toFixed(3)}-${Math.max(...list).toFixed(3)} s`;
  console.log(`${name.padEnd(46)} ${speed} MB/s  ${ratio} x  best ${bestRatio} x  (${spread})`);
}
