import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isClipError } from '../../src/errors.js';
import { unlessAborted } from '../../src/http/errors.js';

test('work that nobody waits for any more may fail without anybody hearing of it', async () => {
  const unheard: unknown[] = [];
  const hear = (error: unknown) => unheard.push(error);
  process.on('unhandledRejection', hear);
  const failing = () => new Promise<never>((_, reject) => setImmediate(reject, new Error('too late')));
  const before = unlessAborted(failing(), AbortSignal.abort());
  await assert.rejects(before, (error) => isClipError(error, 'INTERRUPTED'));
  const controller = new AbortController();
  const meanwhile = unlessAborted(failing(), controller.signal);
  controller.abort();
  await assert.rejects(meanwhile, (error) => isClipError(error, 'INTERRUPTED'));
  await new Promise((resolve) => setTimeout(resolve, 20));
  process.off('unhandledRejection', hear);
  assert.deepEqual(unheard, []);
});

test('work that fails or ends before the signal says so itself', async () => {
  const { signal } = new AbortController();
  assert.equal(await unlessAborted(Promise.resolve(1), signal), 1);
  assert.equal(await unlessAborted(Promise.resolve(2), undefined), 2);
  await assert.rejects(unlessAborted(Promise.reject(new Error('own')), signal), /own/);
});
