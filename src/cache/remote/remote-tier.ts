import { now } from '../../clock.js';
import { escapeText } from '../../escape.js';
import type { Observer } from '../../observer.js';
import { type CacheTier, isKey } from '../tier.js';
import { type Breaker, createBreaker } from './breaker.js';
import { DeadlinePassed, withDeadline } from './deadline.js';
import { READS_AT_ONCE, type RemoteEngine } from './engine.js';
import { createGate } from './gate.js';
import { createWriteQueue } from './write-queue.js';

export interface RemoteTierOptions {
  /** The engine, opened when it is first needed: its client's code takes longer to load than a warm read. */
  open: () => Promise<RemoteEngine>;
  /** Its URL as it may be printed. */
  shown: string;
  /** Longest wait of a read, milliseconds. */
  timeout: number;
  observer: Observer;
  /** When it aborts, what waits to be written is given up. */
  signal?: AbortSignal | undefined;
  /** Bytes that may wait to be written. */
  queue?: number;
  /** Longest wait at the end for what is still to be written, milliseconds. */
  flushTimeout?: number;
}

const WRITES_AT_ONCE = 4;
const QUEUE_BYTES = 64 << 20;
const FLUSH_TIMEOUT = 5000;
/** So many answers that do not hold, and more than half of all, open the circuit. */
const LIES = 3;
/** So many answers in a row that took more than half the deadline open the circuit: each round of lookups would cost a read that much. */
const SLOW_ANSWERS = READS_AT_ONCE;
/** Nobody waits for a write, so it gets more time than a read. */
const WRITE_TIMEOUT = 10_000;

/** What an operator can do about a failure that time does not mend. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /WRONGPASS|NOAUTH|NOPERM|status 401|status 403/,
    'check user and password in the URL (percent-encoded), or the AWS_ variables, and what they may do',
  ],
  [/certificate/i, 'NODE_EXTRA_CA_CERTS names a CA of your own; --insecure takes any certificate'],
  [/DB index is out of range/, 'the number behind the last / is a database that this server does not have'],
];

/** Characters of a server's words that are repeated: it may send megabytes of them. */
const MAX_REASON = 300;

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return escapeText(text.length > MAX_REASON ? `${text.slice(0, MAX_REASON)}…` : text);
}

/** It answers, but so late that it is of no use. */
class TooSlow extends Error {}

/**
 * The tier that workers share. A read waits for it at most once for its deadline: a deadline that passes opens the circuit, and
 * while that is open the tier answers nothing and costs nothing. Writes happen behind the reader's back. Whatever fails is
 * counted, said once, and a miss.
 */
export function createRemoteTier(options: RemoteTierOptions): CacheTier & { readonly name: 'remote' } {
  const { shown, timeout, observer, signal } = options;
  const gate = createGate(READS_AT_ONCE);
  const reads = createBreaker();
  const writes = createBreaker();
  let engine: Promise<RemoteEngine> | undefined;
  let maxValue = Number.MAX_SAFE_INTEGER;
  /** Answers, and those of them that did not hold. */
  let hits = 0;
  let lies = 0;
  let slow = 0;
  let warned = false;
  let closed = false;

  const queue = createWriteQueue({
    capacity: options.queue ?? QUEUE_BYTES,
    parallel: WRITES_AT_ONCE,
    write: (key, value) => (value === undefined ? remove(key) : store(key, value)),
  });

  function open(): Promise<RemoteEngine> {
    engine ??= options.open().then(
      (opened) => {
        maxValue = opened.maxValue;
        return opened;
      },
      (error: unknown) => {
        engine = undefined;
        throw error;
      },
    );
    return engine;
  }

  function failed(breaker: Breaker, error: unknown): string {
    const late = error instanceof DeadlinePassed;
    const isSlow = error instanceof TooSlow;
    if (isSlow) slow = 0;
    const reason = reasonOf(error);
    if (breaker.fail(late || isSlow)) {
      observer.emit({ type: 'debug', message: 'remote cache circuit opened', fields: { reason } });
    }
    warn(breaker === reads ? 'read' : 'written', reason);
    if (late) engine?.then((opened) => opened.reset?.()).catch(() => {});
    return reason;
  }

  function warn(action: 'read' | 'written', reason: string): void {
    if (warned || closed) return;
    warned = true;
    observer.emit({
      type: 'warning',
      code: 'NETWORK',
      message: `the remote cache ${shown} cannot be ${action} just now, going on without it: ${reason}`,
      hint:
        HINTS.find(([pattern]) => pattern.test(reason))?.[1] ??
        'reads are served from below; it is tried again from time to time',
    });
  }

  async function look(key: string, length: number): Promise<Uint8Array | undefined> {
    await gate.enter();
    try {
      if (!reads.allows()) return undefined;
      const began = now();
      const seconds = () => (now() - began) / 1000;
      try {
        const value = await withDeadline(timeout, async (until) => (await open()).get(key, length, until));
        if (seconds() * 2000 <= timeout) slow = 0;
        else if (++slow >= SLOW_ANSWERS)
          throw new TooSlow('its answers take more than half of --remote-timeout');
        reads.ok();
        const outcome = value === undefined ? 'miss' : 'hit';
        if (value) hits++;
        const bytes = value?.byteLength ?? 0;
        observer.emit({ type: 'remote', op: 'get', outcome, bytes, seconds: seconds() });
        return value;
      } catch (error) {
        const reason = failed(reads, error);
        observer.emit({
          type: 'remote',
          op: 'get',
          outcome: 'failed',
          bytes: 0,
          seconds: seconds(),
          error: reason,
        });
        return undefined;
      }
    } finally {
      gate.leave();
    }
  }

  async function store(key: string, value: Uint8Array): Promise<void> {
    if (!writes.allows()) return dropped('the remote cache is not taking writes');
    const began = now();
    const seconds = () => (now() - began) / 1000;
    try {
      const limit = Math.max(WRITE_TIMEOUT, timeout);
      const stored = await withDeadline(limit, async (until) => {
        const opened = await open();
        if (value.byteLength > opened.maxValue) return false;
        await opened.put(key, value, until);
        return true;
      });
      if (!stored) return writes.cancel();
      writes.ok();
      observer.emit({
        type: 'remote',
        op: 'put',
        outcome: 'stored',
        bytes: value.byteLength,
        seconds: seconds(),
      });
    } catch (error) {
      const reason = failed(writes, error);
      observer.emit({
        type: 'remote',
        op: 'put',
        outcome: 'failed',
        bytes: 0,
        seconds: seconds(),
        error: reason,
      });
    }
  }

  async function remove(key: string): Promise<void> {
    try {
      await withDeadline(timeout, async (until) => (await open()).drop(key, until));
    } catch (error) {
      observer.emit({ type: 'debug', message: `remote cache drop failed: ${reasonOf(error)}` });
    }
  }

  const takes = () => !reads.open && !writes.open;

  function dropped(why: string): void {
    observer.emit({ type: 'remote', op: 'put', outcome: 'dropped', bytes: 0, seconds: 0, error: why });
  }

  return {
    name: 'remote',
    holdsValues: true,
    get(key, length) {
      return closed || !isKey(key) ? undefined : look(key, length);
    },
    put(key, value) {
      if (closed || !isKey(key) || value.byteLength > maxValue) return;
      if (!queue.put(key, value)) dropped('too much is waiting to be written');
    },
    drop(key) {
      // Bytes that do not hold cost a transfer each: a server that keeps giving them is treated as one that is down.
      lies++;
      if (lies >= LIES && lies * 2 > hits) {
        lies = hits = 0;
        if (reads.fail(true)) warn('read', 'it returns other bytes than were stored');
      }
      if (!closed && isKey(key)) queue.drop(key);
    },
    canHold() {
      // What waits may be dropped, and what is stored may be evicted: nobody can promise that it will be there.
      return false;
    },
    takes,
    ready() {
      // As at the end: a server that did not answer a read is not waited for once more to take a write.
      return takes() && !signal?.aborted ? queue.ready() : undefined;
    },
    async close() {
      if (closed) return;
      // A server that did not answer a read is not waited for once more to take a write.
      if (!reads.open) await flush(queue.idle(), options.flushTimeout ?? FLUSH_TIMEOUT, signal);
      closed = true;
      for (let left = queue.clear(); left > 0; left--) dropped('it was not written in time');
      if (engine === undefined) return;
      await engine.then(
        (opened) => opened.close(),
        () => {},
      );
    },
  };
}

/** Waits for `idle`, but no longer than `milliseconds` and not after the signal has aborted. */
async function flush(idle: Promise<void>, milliseconds: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return;
  let stop: () => void = () => {};
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const timer = setTimeout(stop, milliseconds);
  signal?.addEventListener('abort', stop, { once: true });
  await Promise.race([idle, stopped]);
  clearTimeout(timer);
  signal?.removeEventListener('abort', stop);
}
