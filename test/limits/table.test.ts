/** The table of limits in docs/security.md says what the code does. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CODES } from '../../src/errors.js';
import { TAR_LIMITS } from '../../src/tar/limits.js';
import { root } from '../support/run-clip.js';

interface Row {
  what: string;
  value: number;
  file: string;
  name: string;
  beyond: string;
}

function readTable(): Row[] {
  const text = readFileSync(join(root, 'docs/security.md'), 'utf8');
  const section = text.split('\n## Limits\n')[1]?.split('\n## ')[0] ?? '';
  return section
    .split('\n')
    .filter((line) => /^\| .*`src\//.test(line))
    .map((line) => {
      const [what = '', value = '', where = '', beyond = ''] = line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim());
      const [, file = '', name = ''] = /^`([^`]+)` `([^`]+)`$/.exec(where) ?? [];
      return { what, value: Number(value.replaceAll(',', '')), file, name, beyond };
    });
}

/** The value of `const NAME = …;` or of a property `name: …,`, where it is sums, products, powers and shifts of numbers. */
function valueIn(source: string, name: string): number {
  const found = new RegExp(`(?:const ${name}(?:: number)? = |^ +${name}: )([0-9_x *<()]+)[;,]$`, 'm').exec(
    source,
  );
  assert.ok(found, `no ${name}`);
  const terms = found[1]!
    .replaceAll('_', '')
    .split('<<')
    .map((term) =>
      term.split(/(?<!\*)\*(?!\*)/).reduce((product, factor) => {
        const [base, exponent = 1] = factor.split('**').map(Number);
        return product * base! ** exponent;
      }, 1),
    );
  return terms.reduce((value, shift) => value * 2 ** shift);
}

const rows = readTable();

test('each limit has the value that the table gives', () => {
  assert.ok(rows.length > 40, `${rows.length} rows`);
  for (const { what, value, file, name } of rows)
    assert.equal(valueIn(readFileSync(join(root, file), 'utf8'), name), value, `${what}: ${file} ${name}`);
});

test('each error code of the table is one', () => {
  for (const { what, beyond } of rows) {
    const code = /^`([A-Z_]+)`$/.exec(beyond)?.[1];
    if (code !== undefined) assert.ok(Object.hasOwn(CODES, code), `${what}: ${code}`);
    else assert.match(beyond, /^[a-z]/, what);
  }
});

test('the table has every limit of the tar walk', () => {
  const named = rows.filter(({ file }) => file === 'src/tar/limits.ts').map(({ name }) => name);
  assert.deepEqual(named, Object.keys(TAR_LIMITS));
});
