// Markdown, JSON and SVG of what was measured.
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Commands as anyone would type them: from the checkout, with the temporary folder by its variable. */
function withoutPlaces(text) {
  return text
    .replaceAll(`${process.execPath} ${root}/`, 'node ')
    .replaceAll(`${root}/`, '')
    .replaceAll(`${tmpdir()}/`, '$TMPDIR/');
}

const seconds = (value) => (value < 1 ? `${(value * 1000).toFixed(0)} ms` : `${value.toFixed(2)} s`);
const megabytes = (value) => `${(value / 1e6).toFixed(1)} MB`;

export function writeReport(folder, { machine, image, sections, readers, scale }) {
  writeFileSync(
    join(folder, 'results.json'),
    withoutPlaces(`${JSON.stringify({ machine, image, sections, readers, scale }, null, 1)}\n`),
  );
  const lines = [
    '# Benchmarks',
    '',
    `Made by \`${machine.command}\` at commit ${machine.commit} on ${machine.date}.`,
    '',
    `${machine.cpus} × ${machine.cpu}, ${machine.memory}, ${machine.system}; Node ${machine.node}; load before the run ${machine.load}.`,
    ...machine.versions.map((line) => `- ${line}`),
    '',
    'Commands take turns; a row has the median of its runs, the spread, and the median of CPU time (user and system, all processes). Take the ratios and not the seconds, and where the load is high the ratios of CPU time.',
    '',
    `The image: ${image.layers} layers, ${megabytes(image.compressed)} compressed, ${megabytes(image.uncompressed)} of tar, ${image.entries} names; its index has ${megabytes(image.indexSize)}, ${((100 * image.indexSize) / image.compressed).toFixed(2)} % of the layers.`,
  ];
  for (const { title, target, rows, facts } of sections) {
    lines.push(
      '',
      `## ${title}`,
      '',
      `Target: ${target}.`,
      '',
      '| | median | min to max | ratio | CPU | ratio of CPU |',
      '|---|--:|--:|--:|--:|--:|',
    );
    for (const { name, median, min, max, cpuMedian } of rows) {
      const ratio = (value, base) => (base > 0 ? (value / base).toFixed(2) : '-');
      lines.push(
        `| ${name.replaceAll('|', '\\|')} | ${seconds(median)} | ${seconds(min)} to ${seconds(max)} | ${ratio(median, rows[0].median)} | ${seconds(cpuMedian)} | ${ratio(cpuMedian, rows[0].cpuMedian)} |`,
      );
    }
    if (facts)
      lines.push(
        '',
        Object.entries(facts)
          .map(([name, value]) => `${name} ${/bytes/i.test(name) ? megabytes(value) : value}`)
          .join(', '),
      );
  }
  const { warm, crowd } = readers;
  lines.push(
    '',
    '## Reads in one process',
    '',
    `4 KiB from the memory tier: \`readAll\` p50 ${warm.readAllMicroseconds.p50.toFixed(1)} µs, p99 ${warm.readAllMicroseconds.p99.toFixed(1)} µs; \`peek\` ${(warm.peeksPerSecond / 1e6).toFixed(1)} million a second (targets: 5 µs, one million).`,
    '',
    `1,000 reads at once over ${crowd.files} files, nothing cached: ${crowd.inflates} inflates for ${crowd.misses} misses, p50 ${crowd.milliseconds.p50.toFixed(0)} ms, p99 ${crowd.milliseconds.p99.toFixed(0)} ms; event loop delay p99 ${crowd.loopDelay.p99.toFixed(1)} ms, longest ${crowd.loopDelay.max.toFixed(1)} ms (target: 20 ms).`,
    '',
    '## Scale',
    '',
    'One layer in one thread, fetched from nowhere: cost per gigabyte over its size, memory over its size, cost per entry over the number of entries.',
    '',
    '![seconds per gigabyte](seconds-per-gigabyte.svg)',
    '![peak memory](memory-by-size.svg)',
    '![microseconds per entry](microseconds-per-entry.svg)',
    '![bytes per entry](bytes-per-entry.svg)',
    '',
  );
  writeFileSync(join(folder, 'README.md'), lines.join('\n'));
  const plot = (name, title, points) => writeFileSync(join(folder, `${name}.svg`), svg(title, points));
  const { bytes, entries } = scale;
  plot(
    'seconds-per-gigabyte',
    'seconds per GB of tar, over GB of tar',
    bytes.map((it) => [it.uncompressed / 1e9, it.seconds / (it.uncompressed / 1e9)]),
  );
  plot(
    'memory-by-size',
    'MB of memory added, over GB of tar',
    bytes.map((it) => [it.uncompressed / 1e9, it.peak / 1e6]),
  );
  plot(
    'microseconds-per-entry',
    'µs per entry, over entries',
    entries.map((it) => [it.number, (it.seconds / it.number) * 1e6]),
  );
  plot(
    'bytes-per-entry',
    'index bytes per entry, over entries',
    entries.map((it) => [it.number, it.indexBytes / it.number]),
  );
}

/** Points over a logarithmic x; y from 0. */
function svg(title, points) {
  const width = 480;
  const height = 240;
  const logs = points.map(([x]) => Math.log10(x));
  const [low, high] = [Math.min(...logs), Math.max(...logs)];
  const top = Math.max(...points.map(([, y]) => y)) * 1.2;
  const at = ([x, y]) => [
    60 + ((Math.log10(x) - low) / (high - low || 1)) * (width - 100),
    height - 40 - (y / top) * (height - 90),
  ];
  const short = (value) => (value >= 1000 ? value.toLocaleString('en') : Number(value.toPrecision(3)));
  const marks = points.map((point) => {
    const [x, y] = at(point).map((value) => value.toFixed(1));
    return `<circle cx="${x}" cy="${y}" r="4" fill="#2266aa"/><text x="${x}" y="${Number(y) - 9}" text-anchor="middle">${short(point[1])}</text><text x="${x}" y="${height - 18}" text-anchor="middle">${short(point[0])}</text>`;
  });
  const line = points
    .map((point) =>
      at(point)
        .map((value) => value.toFixed(1))
        .join(','),
    )
    .join(' ');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<rect width="${width}" height="${height}" fill="white"/>
<text x="${width / 2}" y="22" text-anchor="middle" font-size="14">${title}</text>
<line x1="50" y1="${height - 40}" x2="${width - 20}" y2="${height - 40}" stroke="#888"/>
<polyline points="${line}" fill="none" stroke="#2266aa"/>
${marks.join('\n')}
</svg>
`;
}
