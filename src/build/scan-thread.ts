// Worker thread: scans one layer after another, until one fails. Decoding and the tar walk run here; the diffID's hash and the spans' digests, about a
// third of the work, in a thread of its own beside it.
import { MessageChannel, parentPort, receiveMessageOnPort, Worker, workerData } from 'node:worker_threads';
import { shareCore } from '../inflate/gzip/core.js';
import { packError } from '../sent-error.js';
import { createRing, ringWriter } from './byte-ring.js';
import { type HashThreadData, MARK } from './hash-messages.js';
import { createLayerScan, type LayerScan } from './layer-scan.js';
import type { FromScan, ScanThreadData, ToScan } from './scan-messages.js';
import { createTarHash, type TarHash } from './tar-hash.js';

const port = parentPort!;
shareCore((workerData as ScanThreadData).core);
const ring = createRing();
const writer = ringWriter(ring);
const { port1: spanDigests, port2 } = new MessageChannel();
new Worker(new URL('./hash-thread.js', import.meta.url), {
  workerData: { ring, port: port2 } satisfies HashThreadData,
  transferList: [port2],
  resourceLimits: { maxYoungGenerationSizeMb: 2 },
}).unref();

let scan: LayerScan | undefined;
let work = Promise.resolve();

port.on('message', (message: ToScan) => {
  work = work.then(() => handle(message)).catch(fail);
});

async function handle(message: ToScan): Promise<void> {
  switch (message.type) {
    case 'begin':
      scan = createLayerScan(message.job, tarHash);
      break;
    case 'chunk':
      try {
        await scan?.push(message.bytes);
      } finally {
        giveBack(message);
      }
      break;
    case 'end': {
      const ended = scan;
      scan = undefined;
      if (ended) send({ type: 'done', ...(await ended.end()) });
      break;
    }
  }
}

/** What is still under way of the layer is taken and thrown away. */
function fail(error: unknown): void {
  scan = undefined;
  send({ type: 'failed', error: packError(error) });
}

/** Only what decodes gzip is sure to keep nothing of a chunk. */
function giveBack({ bytes, again }: { bytes: Uint8Array<ArrayBuffer>; again: boolean }): void {
  if (again) port.postMessage({ type: 'taken', bytes } satisfies FromScan, [bytes.buffer]);
  else send({ type: 'taken', bytes: undefined });
}

function send(message: FromScan): void {
  port.postMessage(message);
}

function tarHash(algorithm: string): TarHash {
  if (algorithm !== 'sha256') return createTarHash(algorithm);
  let all: readonly string[] = [];
  return {
    update(bytes) {
      writer.write(bytes);
    },
    digest() {
      const tar = Buffer.from(writer.finish().subarray(0, 32)).toString('hex');
      all = receiveMessageOnPort(spanDigests)!.message as readonly string[];
      return tar;
    },
    spans: {
      digests: {
        begin: () => writer.mark(MARK.begin, 0),
        data() {},
        hold: (offset) => writer.mark(MARK.hold, offset),
        cut(offset) {
          writer.mark(MARK.cut, offset);
          return '';
        },
      },
      all: () => all,
    },
  };
}
