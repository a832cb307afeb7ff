import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linkTargets } from '../../src/source/registry/link-header.js';

const HEADERS: [header: string, next: string[]][] = [
  ['', []],
  ['</a>; rel="next"', ['/a']],
  ['</a>; rel=next', ['/a']],
  ['</a>;REL = "NEXT"', ['/a']],
  ['</a?x=1,2&y=3;z>; rel="next"', ['/a?x=1,2&y=3;z']],
  ['</a,b>; rel="prev", </c,d>; rel="next"', ['/c,d']],
  ['</a>; rel="last next"', ['/a']],
  ['</a>; rel=prev; rel=next', []],
  ['</a>; rel="nextdoor", </b>; rel=xnext', []],
  ['</a>; title="x, <y>; rel=next"; rel=prev, </b>; rel=next', ['/b']],
  ['</a>; title="\\"; rel=next"; rel=prev', []],
  ['</a>; crossorigin; title="x"; rel="next"', ['/a']],
  ['</a>; rel="next"; n=1, </b>; rel=next', ['/a', '/b']],
  ['</a>, </b>; rel=next', ['/b']],
  ['</a>; rel="next', ['/a']],
  ['</a>; rel="next\\', ['/a']],
  ['/a; rel=next', []],
  ['</a; rel=next', []],
];

for (const [header, next] of HEADERS) {
  test(`the next page by Link: ${header}`, () => assert.deepEqual(linkTargets(header, 'next'), next));
}

test('64 KiB of whatever are read in no time', () => {
  for (const part of [
    '<',
    '<a>',
    '<a>"\\"',
    '"',
    '\\"',
    '<a>; ',
    '<a>; rel="\\"',
    ';',
    '; ',
    ' ',
    '<a>;x = ',
    ',',
  ]) {
    for (const start of ['', '<a>', '<a>; x="', '<a>"<a>;']) {
      const began = performance.now();
      linkTargets(start + part.repeat(65_536 / part.length), 'next');
      const took = performance.now() - began;
      assert.ok(took < 500, `${took} ms for ${start}${part}…`);
    }
  }
});
