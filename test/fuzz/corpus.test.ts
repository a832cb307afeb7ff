/** Replays what the fuzzer found, with every oracle. An input of a bug that was mended is a file of its own here: `bug-…`. */
import { test } from 'node:test';
import { loadCorpus } from './corpus.js';
import { runOnce } from './fuzz.js';
import { loadTarget, TARGETS } from './targets.js';

for (const name of Object.keys(TARGETS)) {
  test(`corpus of ${name}`, async (t) => {
    const target = await loadTarget(name);
    t.after(() => target.close?.());
    const corpus = loadCorpus(name);
    for (const { name: file, input } of corpus) {
      // Programs cost milliseconds each; bugs are worth it always.
      const thorough = file.startsWith('bug-') || /^[0-3]/.test(file);
      await runOnce(target, input, thorough).catch((error: Error) => {
        throw new Error(`${name}/${file}: ${error.message}`, { cause: error });
      });
    }
    t.diagnostic(`${corpus.length} inputs`);
  });
}
