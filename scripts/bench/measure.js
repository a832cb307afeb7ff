// What is measured, one function a target. Each returns sections `{title, target, rows}` for the report.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startShapedLink } from '../../dist/test/support/shaped-link.js';
import { contest, has, temporary, time } from './run.js';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const node = process.execPath;
const here = join(root, 'scripts/bench');
export const clip = `${node} ${join(root, 'bin/clip.js')}`;
const index = join(temporary, 'image.clip');
const cache = join(temporary, 'cache');
const empty = join(temporary, 'empty.mjs');
writeFileSync(empty, '');

/** The receipt of one more run: what it asked of the registry. */
function receipt(command) {
  const out = execFileSync('bash', ['-c', `${command} --stats json 2>&1 >/dev/null | tail -1`], {
    encoding: 'utf8',
  });
  const { requests, fetchedBytes, inflates, inflatedBytes } = JSON.parse(out);
  return { requests, fetchedBytes, inflates, inflatedBytes };
}

function peakOf(command) {
  const file = join(temporary, 'peak');
  const hook = join(root, 'dist/test/support/peak-memory.js');
  const env = { ...process.env, CLIP_TEST_PEAK: file, NODE_OPTIONS: `--import=${hook}` };
  execFileSync('bash', ['-c', `${command} >/dev/null`], { env });
  return Number(execFileSync('cat', [file], { encoding: 'utf8' }));
}

export async function measureIndex({ reference, blobs }, rounds) {
  const all = blobs.join(' ');
  const build = `${clip} index ${reference} --index build --cache-dir ${cache} -o ${index}`;
  const rows = await contest(
    [
      { name: 'clip index (fetch, inflate, verify, checkpoints)', command: build },
      ...(has('pigz') ? [{ name: 'pigz -dc', command: `pigz -dc ${all}` }] : []),
      { name: 'gzip -dc', command: `gzip -dc ${all}` },
      ...(has('igzip') ? [{ name: 'igzip -dc', command: `igzip -dc ${all}` }] : []),
      { name: "Node's zlib, 1 MiB chunks", command: `${node} ${join(here, 'gunzip.js')} ${all}` },
    ],
    rounds,
  );
  const info = JSON.parse(execFileSync('bash', ['-c', `${clip} info --json ${index}`], { encoding: 'utf8' }));
  return {
    title: 'Index',
    target: 'clip at most 0.5 times pigz -dc',
    rows,
    facts: { peakBytes: peakOf(build) },
    info,
  };
}

/** Where a registry has a blob of the image that `reference`, which begins with its host, names. */
function blobUrl(host, reference, digest) {
  const [repository] = reference.slice(host.length + 1).split(/[:@]/);
  return `http://${host}/v2/${repository}/blobs/${digest}`;
}

/** Workers that begin together and want one file of an image that nobody has indexed. */
export async function measureFleet({ host, small, reference, smallLayer }, rounds) {
  const workers = 5;
  const together = (command) =>
    `for i in $(seq ${workers}); do ${command} & pids="$pids $!"; done; for pid in $pids; do wait $pid || exit 1; done`;
  const folder = join(temporary, 'fleet');
  const cat = `${clip} cat ${reference} '${small}' --index auto --cache-dir`;
  const before = `rm -rf ${folder}`;
  const blob = blobUrl(host, reference, smallLayer.digest);
  const rows = await contest(
    [
      { name: `${workers} × clip cat, one cache folder`, command: together(`${cat} ${folder}`), before },
      { name: `${workers} × clip cat, a folder each`, command: together(`${cat} ${folder}/$i`), before },
      ...(has('curl')
        ? [
            {
              name: `${workers} × curl | gzip -dc of the file's layer`,
              command: together(`curl -sf ${blob} | gzip -dc`),
            },
          ]
        : []),
    ],
    rounds,
  );
  return {
    title: 'Five workers and an image without an index',
    target: 'one scan where there were five',
    rows,
  };
}

export async function measureStart({ small, reference }, rounds) {
  const cat = (dir) => `${clip} cat ${index} '${small}' --source ${reference} --cache-dir ${dir}`;
  const cold = join(temporary, 'cold');
  // The first run of each kind keeps what V8 compiled for it.
  for (const dir of [cold, cache, cache]) await time(cat(dir));
  await time(`${clip} ls -R ${index}`);
  await time(`${clip} stat ${index} '${small}'`);
  const rows = await contest(
    [
      { name: 'an empty Node program', command: `${node} ${empty}` },
      { name: 'clip cat, warm from the disk tier', command: cat(cache) },
      { name: 'clip cat, cold', command: cat(cold), before: `rm -rf ${cold}` },
      { name: 'clip ls -R', command: `${clip} ls -R ${index}` },
      { name: 'clip stat', command: `${clip} stat ${index} '${small}'` },
    ],
    rounds,
  );
  const facts = receipt(`rm -rf ${cold}; ${cat(cold)}`);
  return {
    title: 'One small file',
    target: 'warm at most 1.5, cold at most 2, ls -R at most 3 times an empty program',
    rows,
    facts,
  };
}

/** The same cold read behind a link of 100 Mbit/s; the alternative is to download the layer as far as the file. */
export async function measureLink({ host, small, reference, smallLayer }, rounds) {
  const contestants = [];
  const links = [];
  for (const roundTrip of [20, 100]) {
    const link = await startShapedLink(host, { roundTrip, bandwidth: 12.5e6 });
    links.push(link);
    const far = reference.replace(host, link.host);
    const cold = join(temporary, 'cold');
    contestants.push({
      name: `clip cat, cold, ${roundTrip} ms`,
      command: `${clip} cat ${index} '${small}' --source ${far} --cache-dir ${cold}`,
      before: `rm -rf ${cold}`,
    });
    if (!has('curl')) continue;
    const url = blobUrl(link.host, far, smallLayer.digest);
    const bytes = smallLayer.end;
    contestants.push({
      name: `curl up to the file, ${roundTrip} ms`,
      command: `curl -sf -r 0-${bytes - 1} ${url}`,
    });
  }
  try {
    const rows = await contest(contestants, rounds);
    return {
      title: 'One small file over 100 Mbit/s',
      target: 'one round trip for the connection, one for the span',
      rows,
    };
  } finally {
    for (const link of links) await link.stop();
  }
}

export async function measureLarge({ host, reference, large }, rounds) {
  const cold = join(temporary, 'cold');
  const url = blobUrl(host, reference, large.digest);
  const gunzip = has('pigz') ? 'pigz' : 'gzip';
  const command = `${clip} cat ${index} '${large.path}' --source ${reference} --cache-dir ${cold} --memory-cache 64MiB`;
  const rows = await contest(
    [
      { name: `clip cat of ${(large.size / 1e6).toFixed(0)} MB, cold`, command, before: `rm -rf ${cold}` },
      ...(has('curl')
        ? [
            {
              name: `curl | ${gunzip} -dc up to its end`,
              command: `(curl -sf ${url} | ${gunzip} -dc 2>&1 | head -c ${large.end}) || true`,
            },
          ]
        : []),
    ],
    rounds,
  );
  const facts = { ...receipt(`rm -rf ${cold}; ${command}`), peakBytes: peakOf(`rm -rf ${cold}; ${command}`) };
  return { title: 'A large file, cold', target: 'at least 1.5 times as fast as curl | pigz', rows, facts };
}

export async function measureWhole({ reference, layout, blobs }, rounds) {
  const out = join(temporary, 'tree');
  const clear = `rm -rf ${out}; mkdir ${out}`;
  const rows = await contest(
    [
      {
        name: 'clip export',
        command: `${clip} export ${index} --source ${reference} --no-cache --stats none`,
      },
      { name: 'gzip -dc of the layers', command: `gzip -dc ${blobs.join(' ')}` },
      {
        name: 'clip extract',
        command: `${clip} extract ${index} / -C ${out} --source ${reference} --no-cache --quiet`,
        before: clear,
      },
      ...(has('umoci')
        ? [
            {
              name: 'umoci unpack',
              command: `umoci unpack ${process.getuid() === 0 ? '' : '--rootless '}--image ${layout}:bench ${out}/u`,
              before: clear,
            },
          ]
        : []),
      ...(has('crane') ? [{ name: 'crane export', command: `crane export --insecure ${reference} -` }] : []),
    ],
    rounds,
  );
  return {
    title: 'The whole image',
    target: 'export 3 times crane export (bound by gzip -dc), extract 3 times umoci unpack',
    rows,
  };
}

export function measureReaders({ reference, paths }) {
  const script = join(here, 'readers.js');
  return JSON.parse(execFileSync(node, [script, index, reference, ...paths], { encoding: 'utf8' }));
}

export function measureScale(kind, numbers) {
  const script = join(here, 'scale.js');
  return numbers.map((number) =>
    JSON.parse(execFileSync(node, ['--expose-gc', script, kind, String(number)], { encoding: 'utf8' })),
  );
}

/** Paths to read, from the index itself: a small file, a hundred of up to 64 KiB, and the largest; where they lie. */
export async function choosePaths() {
  const { openIndexFile } = await import('../../dist/src/build/open-index-file.js');
  const opened = await openIndexFile(index);
  try {
    const files = [];
    for await (const nodes of opened.walk('')) {
      for (const { path, entry, layer } of nodes) {
        if (entry.type === 'file' && entry.size > 0 && /^[\w./+-]+$/.test(path))
          files.push({ path: `/${path}`, size: entry.size, layer, position: entry.position });
      }
    }
    const largest = files.reduce((best, file) => (file.size > best.size ? file : best));
    const small = files.filter(({ size }) => size >= 4096 && size <= 65536);
    const hundred = small.filter((_, i) => i % Math.ceil(small.length / 100) === 0);
    // In the middle of the largest layer: neither luck nor the worst case.
    const main = opened.layers.reduce((best, { size }, i) => (size > opened.layers[best].size ? i : best), 0);
    const inMain = small.filter(({ layer }) => layer === main).sort((a, b) => a.position - b.position);
    const one = inMain[inMain.length >> 1] ?? small[0];
    const [span] = await opened.spans(one.layer, one.position, 1);
    return {
      small: one.path,
      smallLayer: { digest: opened.layers[one.layer].digest, end: span.end },
      paths: hundred.map(({ path }) => path),
      large: {
        path: largest.path,
        size: largest.size,
        end: largest.position + largest.size,
        digest: opened.layers[largest.layer].digest,
      },
    };
  } finally {
    await opened.close();
  }
}
