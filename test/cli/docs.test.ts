import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { DEFINITIONS } from '../../src/cli/definitions.js';
import { EVERYWHERE } from '../../src/cli/everywhere.js';
import { type Flags, flagName } from '../../src/cli/flags.js';
import { CODES, EXIT } from '../../src/errors.js';
import { rowsOf, section } from '../support/cli-docs.js';

const docs = readFileSync(new URL('../../../docs/cli.md', import.meta.url), 'utf8');

/** `-o`, `--output FILE` of a table's first column: what a definition says. */
function flagCell([key, flag]: [string, Flags[string]]): string {
  const value = flag.value === undefined ? '' : ` ${flag.value}`;
  const long = `\`--${flagName(key)}${value}\``;
  return flag.short === undefined ? long : `\`-${flag.short}\`, ${long}`;
}

test('every flag of every command is documented as it is defined, and no other', () => {
  for (const { name, flags } of DEFINITIONS) {
    const documented = rowsOf(section(docs, `### clip ${name}`)).map(([flag]) => flag);
    assert.deepEqual(documented, Object.entries(flags).map(flagCell), name);
  }
});

test('the everywhere-flags are documented with their defaults', () => {
  const flags: Flags = EVERYWHERE;
  const rows = rowsOf(section(docs, '## Flags that every command takes'));
  assert.deepEqual(
    rows.map(([flag]) => flag),
    Object.entries(flags).map(flagCell),
  );
  for (const [i, flag] of Object.values(flags).entries()) {
    if (typeof flag.fallback !== 'string' && typeof flag.fallback !== 'number') continue;
    assert.equal(rows[i]![1], flag.shown, rows[i]![0]);
  }
});

test('every error code is documented with its status', () => {
  const documented = rowsOf(section(docs, '## Error codes')).map(([code, status]) => [code, status]);
  const defined = Object.entries(CODES).map(([code, status]) => [`\`${code}\``, String(status)]);
  assert.deepEqual(documented.sort(), defined.sort());
});

test('every exit status is documented', () => {
  const documented = rowsOf(section(docs, '## Exit status')).map(([status]) => Number(status));
  assert.deepEqual(documented, Object.values(EXIT));
});

test('every command stands in the summary with its help', () => {
  for (const { name } of DEFINITIONS) assert.match(docs, new RegExp(`^clip ${name}\\s`, 'm'));
});
