import fs from 'node:fs';
import { errnoOf } from '../../errno.js';

/**
 * Writes a line for people to stderr at once, so that nothing is lost however the process ends. That nobody reads stderr is no
 * reason to fail.
 */
export function writeStderr(text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0, waits = 0; done < bytes.length; ) {
    try {
      done += fs.writeSync(2, bytes, done);
    } catch (error) {
      // A reader that made the pipe non-blocking and is slow gets up to a second.
      if (errnoOf(error) !== 'EAGAIN' || ++waits > 100) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}
