// Worker thread: inflates gzip spans and computes their SHA-256, which the cache holds against the index's.
import { hash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { now } from '../clock.js';
import { packError } from '../sent-error.js';
import { shareCore } from './gzip/core.js';
import { inflateGzipSpanInto } from './gzip/resume.js';
import type { FromSpanThread, SpanJob, SpanThreadData } from './span-messages.js';

const port = parentPort!;
shareCore((workerData as SpanThreadData).core);

port.on('message', ({ id, span, context, compressed, target }: SpanJob) => {
  try {
    const started = now();
    const value = inflateGzipSpanInto(target, { span, context, compressed });
    const seconds = (now() - started) / 1000;
    const digest = hash('sha256', value, 'hex');
    send({ type: 'done', id, value, digest, seconds, compressed }, [value.buffer, compressed.buffer]);
  } catch (error) {
    send({ type: 'failed', id, error: packError(error) });
  }
});
send({ type: 'ready' });

function send(message: FromSpanThread, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}
