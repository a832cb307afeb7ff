// Worker thread: hashes one tar after another as its scan thread writes them into the ring. It blocks for good between them and
// ends with the scan thread that started it.
import { createHash } from 'node:crypto';
import { workerData } from 'node:worker_threads';
import { readRing } from './byte-ring.js';

const { ring } = workerData as { ring: SharedArrayBuffer };

for (;;) {
  const hash = createHash('sha256');
  readRing(ring, {
    data(bytes) {
      hash.update(bytes);
    },
    end: () => hash.digest(),
  });
}
