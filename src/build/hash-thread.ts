// Worker thread: hashes one tar after another, and the spans of each, as its scan thread writes them into the ring. It blocks for good
// between them and ends with the scan thread that started it.
import { createHash } from 'node:crypto';
import { workerData } from 'node:worker_threads';
import { createSpanDigests } from '../inflate/span-digests.js';
import { readRing } from './byte-ring.js';
import { type HashThreadData, MARK } from './hash-messages.js';

const { ring, port } = workerData as HashThreadData;

for (;;) {
  const tar = createHash('sha256');
  const spans = createSpanDigests(() => createHash('sha256'));
  const digests: string[] = [];
  // Spans are cut by those who can be entered in the middle; where nobody does, the tar alone is hashed.
  let isCut = false;
  readRing(ring, {
    data(bytes) {
      tar.update(bytes);
      if (isCut) spans.data(bytes);
    },
    mark(kind, number) {
      if (kind === MARK.begin) isCut = true;
      else if (kind === MARK.hold) spans.hold(number);
      else digests.push(spans.cut(number));
    },
    end() {
      // Before the answer, so that it is there when that is.
      port.postMessage(digests);
      return tar.digest();
    },
  });
}
