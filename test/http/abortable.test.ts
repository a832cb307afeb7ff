import assert from 'node:assert/strict';
import { test } from 'node:test';
import { abortable } from '../../src/http/abortable.js';

const turn = () => new Promise((resolve) => setTimeout(resolve, 20));

test('a thousand waits under one signal are no leak, and all end with its reason', async () => {
  const warnings: Error[] = [];
  const warn = (warning: Error) => warnings.push(warning);
  process.on('warning', warn);
  const controller = new AbortController();
  const never = new Promise<never>(() => {});
  const waits = Array.from({ length: 1000 }, () => abortable(never, controller.signal));
  controller.abort(new Error('enough'));
  for (const result of await Promise.allSettled(waits)) {
    assert.equal(result.status === 'rejected' && (result.reason as Error).message, 'enough');
  }
  await turn();
  process.off('warning', warn);
  assert.deepEqual(warnings, []);
});

test('what nobody waits for any more may fail without anybody hearing of it', async () => {
  const unheard: unknown[] = [];
  const hear = (error: unknown) => unheard.push(error);
  process.on('unhandledRejection', hear);
  const failing = new Promise<never>((_, reject) => setImmediate(reject, new Error('too late')));
  await assert.rejects(abortable(failing, AbortSignal.abort(new Error('enough'))), /enough/);
  await turn();
  process.off('unhandledRejection', hear);
  assert.deepEqual(unheard, []);
});
