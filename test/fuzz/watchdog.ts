/**
 * Ends the process when one input hangs: code that never returns lets no timer fire, so another thread keeps watch. The input
 * that hung is written to `path` first.
 */
import { writeFileSync, writeSync } from 'node:fs';
import { Session } from 'node:inspector';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

/** Milliseconds that one input may take. */
const HANG = 30_000;
const MOST_BYTES = 4 << 20;

interface Shared {
  /** Number of the input, its length. */
  state: Int32Array;
  bytes: Uint8Array;
  path: string;
}

export interface Watchdog {
  watch(input: Uint8Array): void;
  /** Between inputs: nothing is watched until the next. */
  rest(): void;
  stop(): Promise<void>;
}

export function startWatchdog(path: string): Watchdog {
  const shared: Shared = {
    state: new Int32Array(new SharedArrayBuffer(8)),
    bytes: new Uint8Array(new SharedArrayBuffer(MOST_BYTES)),
    path,
  };
  const worker = new Worker(new URL(import.meta.url), { workerData: shared });
  worker.unref();
  return {
    watch(input) {
      shared.bytes.set(input.subarray(0, MOST_BYTES));
      shared.state[1] = Math.min(input.length, MOST_BYTES);
      Atomics.add(shared.state, 0, 1);
    },
    rest() {
      shared.state[1] = -1;
    },
    async stop() {
      await worker.terminate();
    },
  };
}

if (!isMainThread && isShared(workerData)) {
  const { state, bytes, path } = workerData;
  let last = -1;
  setInterval(() => {
    const now = Atomics.load(state, 0);
    if (now !== last || state[1] === -1) {
      last = now;
      return;
    }
    writeFileSync(path, bytes.slice(0, state[1]));
    writeStack();
    // Not console: that would wait for the thread that hangs.
    writeSync(2, `fuzz: an input takes longer than ${HANG / 1000} s: ${path}\n`);
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), 2000);
  }, HANG);
}

/** Where the main thread is, if it is in JavaScript or WebAssembly. */
function writeStack(): void {
  const session = new Session();
  session.connectToMainThread();
  session.on('Debugger.paused', ({ params }) => {
    for (const { functionName, url, location } of params.callFrames)
      writeSync(2, `  at ${functionName} (${url}:${location.lineNumber + 1})\n`);
  });
  session.post('Debugger.enable');
  session.post('Debugger.pause');
}

function isShared(data: unknown): data is Shared {
  return typeof data === 'object' && data !== null && 'state' in data && 'path' in data;
}
