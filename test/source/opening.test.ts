import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isClipError } from '../../src/errors.js';
import { createOpening } from '../../src/source/opening.js';
import type { ReadOptions } from '../../src/source/source.js';

/** An opening that waits for `finish`, and fails when its reader aborts. */
function slow() {
  let finish: (value: string) => void = () => {};
  let times = 0;
  const open = createOpening(({ signal }: ReadOptions) => {
    times++;
    return new Promise<string>((resolve, reject) => {
      finish = resolve;
      signal?.addEventListener('abort', () => reject(signal.reason));
    });
  });
  return { open, finish: (value: string) => finish(value), times: () => times };
}

test('who waits for a reader that gives up opens it anew', async () => {
  const { open, finish, times } = slow();
  const first = new AbortController();
  const given = open({ signal: first.signal });
  const others = [open({}), open({ signal: new AbortController().signal })];
  first.abort();
  await assert.rejects(given, (error) => isClipError(error, 'INTERRUPTED'));
  await new Promise(setImmediate);
  finish('opened');
  assert.deepEqual(await Promise.all(others), ['opened', 'opened']);
  assert.equal(times(), 2);
  assert.equal(await open({}), 'opened');
});

test('who gives up waiting does so at once, and disturbs nobody', async () => {
  const { open, finish, times } = slow();
  const first = open({});
  const second = new AbortController();
  const waiting = open({ signal: second.signal });
  second.abort();
  await assert.rejects(waiting, (error) => isClipError(error, 'INTERRUPTED'));
  finish('opened');
  assert.equal(await first, 'opened');
  assert.equal(times(), 1);
});

test('what cannot be opened is tried once for all', async () => {
  let times = 0;
  const open = createOpening(async () => {
    times++;
    throw new Error('broken');
  });
  await assert.rejects(Promise.all([open({}), open({})]), /broken/);
  await assert.rejects(open({}), /broken/);
  assert.equal(times, 1);
});
