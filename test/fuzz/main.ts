/**
 * `npm run fuzz -- --seconds N [--target NAME]... [--seed S]`: each target for N seconds. What reached new code goes into
 * test/fuzz/corpus; an input that breaks something goes there too, and the status is 1.
 *
 * `--no-save` leaves the corpus as it is; `--missed` lists the lines that no input reached; `--file PATH` runs one input.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadCorpus, saveBug, saveCorpus } from './corpus.js';
import { type Finding, fuzz, minimise, runOnce, shorten } from './fuzz.js';
import type { Target } from './target.js';
import { loadTarget, TARGETS } from './targets.js';
import { startWatchdog } from './watchdog.js';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    target: { type: 'string', multiple: true },
    seed: { type: 'string' },
    file: { type: 'string' },
    missed: { type: 'boolean', default: false },
    save: { type: 'boolean', default: true },
  },
  allowNegative: true,
});
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
const milliseconds = Number(values.seconds) * 1000;
const names = values.target ?? Object.keys(TARGETS);
if (!(Number.isInteger(seed) && milliseconds > 0) || names.some((name) => !(name in TARGETS))) {
  console.error(`usage: npm run fuzz -- --seconds N [--target ${Object.keys(TARGETS).join('|')}] [--seed S]`);
  process.exit(2);
}

const failures = fileURLToPath(new URL('../../fuzz/', import.meta.url));
mkdirSync(failures, { recursive: true });
let bugs = 0;
for (const name of names) {
  const target = await loadTarget(name);
  try {
    if (values.file === undefined) await fuzzOne(target);
    else console.log(name, await runOnce(target, readFileSync(values.file), true));
  } finally {
    await target.close?.();
  }
}
process.exit(bugs > 0 ? 1 : 0);

async function fuzzOne(target: Target): Promise<void> {
  const { name } = target;
  const corpus = loadCorpus(name).map(({ input }) => input);
  const watchdog = startWatchdog(`${failures}hang-${name}`);
  const report = ({ error }: Finding): void => {
    console.log(`BUG in ${name} (seed ${seed}): ${error.stack}`);
  };
  const result = await fuzz({ target, seed, milliseconds, corpus, watch: watchdog.watch, report });
  watchdog.rest();
  const { executions, taken, seconds, figures, findings } = result;
  for (const finding of findings) {
    bugs++;
    console.log(`  kept as ${saveBug(name, await shorten(target, finding))}`);
  }
  let kept = corpus.length;
  if (values.save) kept = saveCorpus(name, await minimise(target, [...corpus, ...result.kept]));
  await watchdog.stop();
  const { lines, linesOf, edges, edgesOf } = figures;
  const core = edgesOf > 0 ? `, ${edges} of ${edgesOf} edges of the core` : '';
  console.log(
    `${name}: seed ${seed}, ${executions} executions (${Math.round((100 * taken) / executions)} % taken) in ` +
      `${seconds.toFixed(1)} s, ${lines} of ${linesOf} lines${core}, corpus ${kept}, ${findings.length} bugs`,
  );
  if (values.missed) console.log(result.missed.map((place) => `  ${place}`).join('\n'));
}
