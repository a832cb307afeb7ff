// One style for what users are told: hints and messages begin in lower case, say what to do, and have no full stop.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from './support/run-clip.js';

test('no hint and no message is written as a sentence with a capital and a full stop', () => {
  const src = join(root, 'src');
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  const wrong: string[] = [];
  for (const file of files) {
    // The help of the command line and of the metrics is prose.
    if (file === join('cli', 'program.ts') || file === join('read', 'metrics.ts')) continue;
    for (const line of readFileSync(join(src, file), 'utf8').split('\n')) {
      if (/^\s*(\*|\/\/|\/\*)/.test(line)) continue;
      for (const [literal] of line.matchAll(/(['`])[A-Z][a-z]+ (?:(?!\1).)*\.\1/g))
        wrong.push(`${file}: ${literal}`);
      // `Docker …` may begin a hint; an imperative may not be capitalised.
      for (const [literal] of line.matchAll(/hint: (['`])(?!Docker )[A-Z][a-z](?:(?!\1).)*/g))
        wrong.push(`${file}: ${literal}`);
    }
  }
  assert.deepEqual(wrong, []);
});
