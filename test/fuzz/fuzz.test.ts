/** A short run of every target from a fixed seed; `npm run fuzz` runs them for as long as wanted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadCorpus } from './corpus.js';
import { fuzz } from './fuzz.js';
import { instrumentWasm } from './instrument-wasm.js';
import { createRandom } from './random.js';
import { loadTarget, TARGETS } from './targets.js';

const SEED = Number(process.env.CLIP_TEST_SEED ?? 20_261_122);
const RUNS = 1000;
const MILLISECONDS = 2500;

for (const name of Object.keys(TARGETS)) {
  test(`fuzz ${name}, seed ${SEED}`, async (t) => {
    const target = await loadTarget(name);
    t.after(() => target.close?.());
    const corpus = loadCorpus(name).map(({ input }) => input);
    const result = await fuzz({ target, seed: SEED, corpus, runs: RUNS, milliseconds: MILLISECONDS });
    const { executions, taken, figures, findings } = result;
    for (const { error, input } of findings)
      assert.fail(`${error.stack}\ninput: ${Buffer.from(input).toString('base64')}`);
    t.diagnostic(`${executions} executions, ${taken} taken, ${figures.lines} of ${figures.linesOf} lines`);
    assert.ok(figures.lines > figures.linesOf / 5, 'coverage is measured');
    if (name === 'inflate') assert.ok(figures.edges > 300, `${figures.edges} edges of the core`);
    // How many runs fit into the time is the machine's business: a busy one still has to get through the corpus.
    if (name !== 'http') assert.ok(taken > 0 && executions > 0);
  });
}

test('the same seed does the same', async () => {
  const run = async () => {
    const target = await loadTarget('merge');
    const { executions, kept } = await fuzz({ target, seed: 5, corpus: [], runs: 400 });
    return { executions, kept };
  };
  assert.deepEqual(await run(), await run());
});

test('a bug is found, reported once, and does not end the run', async () => {
  const target = await loadTarget('merge');
  const broken = {
    ...target,
    run: (input: Uint8Array) => {
      if (input.length > 50) throw new Error(`too long: ${input.length}`);
      return 'taken' as const;
    },
  };
  const { findings, executions } = await fuzz({ target: broken, seed: 1, corpus: [], runs: 200 });
  assert.equal(findings.length, 1);
  assert.ok(executions >= 200);
});

test('a module that may grow is not instrumented, nor is what is no module', () => {
  assert.throws(() => instrumentWasm(createRandom(1).bytes(40)));
});
