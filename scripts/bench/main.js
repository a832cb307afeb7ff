// `npm run bench`: measures clip in one run against what is installed and writes
// docs/benchmarks/. Without an image it makes one of this machine's files, 300 MB of tar (--full: 3 GB), served over loopback by
// docker-registry where that is installed, else by the tests' own registry.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { parseArgs } from 'node:util';
import { takeImage } from './image.js';
import * as measure from './measure.js';
import { writeReport } from './report.js';
import { has } from './run.js';

const USAGE = 'npm run bench -- [--quick | --full] [--image REF] [--rounds N] [--out DIR]';
const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    image: { type: 'string' },
    rounds: { type: 'string' },
    out: { type: 'string', default: 'docs/benchmarks' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  process.stdout.write(`${USAGE}\n`);
  process.exit(0);
}
const full = values.full && !values.quick;
const rounds = values.rounds === undefined ? (full ? 9 : 3) : Number(values.rounds);
const starts = full ? 25 : 11;
const load = loadavg()[0].toFixed(1);

// Node reads these certificates at every start, 33 ms of them on the machine of docs/benchmarks: an empty program with them is not empty, and
// the ratios to it would flatter.
delete process.env.NODE_EXTRA_CA_CERTS;

const image = await takeImage(values.image, { megabytes: full ? 3000 : 300 });
try {
  const sections = [];
  const step = async (name, work) => {
    process.stderr.write(`${name}\n`);
    return await work();
  };
  const { info, ...index } = await step('index', () => measure.measureIndex(image, rounds));
  sections.push(index);
  const chosen = { ...image, ...(await measure.choosePaths()) };
  sections.push(await step('workers', () => measure.measureFleet(chosen, Math.ceil(rounds / 3))));
  sections.push(await step('one small file', () => measure.measureStart(chosen, starts)));
  sections.push(await step('shaped link', () => measure.measureLink(chosen, rounds)));
  sections.push(await step('large file', () => measure.measureLarge(chosen, rounds)));
  sections.push(await step('whole image', () => measure.measureWhole(chosen, rounds)));
  const readers = await step('readers', () => measure.measureReaders(chosen));
  const scale = await step('scale', () => ({
    bytes: measure.measureScale('bytes', full ? [100, 300, 1000, 3000, 10000] : [30, 100, 300]),
    entries: measure.measureScale('entries', full ? [1e3, 1e4, 1e5, 1e6] : [1e3, 1e4, 1e5]),
  }));
  mkdirSync(values.out, { recursive: true });
  const sum = (of) => info.layers.reduce((total, layer) => total + of(layer), 0);
  writeReport(values.out, {
    machine: machine(),
    image: {
      layers: info.layers.length,
      compressed: sum(({ size }) => size),
      uncompressed: sum(({ uncompressedSize }) => uncompressedSize),
      entries: info.index.names,
      indexSize: info.index.size,
    },
    sections,
    readers,
    scale,
  });
} finally {
  await image.stop();
}

function machine() {
  const programs = {
    gzip: '--version',
    pigz: '--version',
    igzip: '--version',
    umoci: '--version',
    skopeo: '--version',
    crane: 'version',
  };
  const versions = Object.entries(programs)
    .filter(([name]) => has(name))
    .map(([name, flag]) =>
      execFileSync('sh', ['-c', `${name} ${flag} 2>&1 | head -1`], { encoding: 'utf8' }).trim(),
    );
  return {
    command: `npm run bench -- ${full ? '--full' : '--quick'}${values.rounds ? ` --rounds ${values.rounds}` : ''}${values.image ? ' --image …' : ''}`,
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
    date: new Date().toISOString().slice(0, 10),
    cpus: cpus().length,
    cpu: cpus()[0].model,
    memory: `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    system: `${type()} ${release().split('-')[0]}`,
    node: process.version,
    load,
    versions,
  };
}
