// One layer of a given size or number of entries, scanned as the index does it, in a process of its own. Prints JSON.
// `node scripts/bench/scale.js bytes MEGABYTES` or `… entries COUNT`
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { createLayerScan } from '../../dist/src/build/layer-scan.js';

const [kind, number] = process.argv.slice(2);
const spacing = 1 << 20;

/** A tar header of an empty or a `size` bytes long file. */
function header(name, size) {
  const block = Buffer.alloc(512);
  block.write(name, 0, 'latin1');
  block.write('0000644\0' + '0000000\0' + '0000000\0', 100, 'latin1');
  block.write(`${size.toString(8).padStart(11, '0')}\0${'14000000000'}\0        0`, 124, 'latin1');
  block.write('ustar\0' + '00', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** Yields a tar in pieces: files of 1 MB whose text repeats only far back, or empty files. */
function* tar() {
  if (kind === 'entries') {
    let blocks = [];
    for (let i = 0; i < Number(number); i++) {
      const name = `srv/${String(i >> 12).padStart(4, '0')}/${String((i >> 6) & 63).padStart(2, '0')}/file-${i}`;
      blocks.push(header(name, 0));
      if (blocks.length === 2048) {
        yield Buffer.concat(blocks);
        blocks = [];
      }
    }
    yield Buffer.concat(blocks);
  } else {
    let seed = 1;
    const words = Array.from({ length: 4096 }, (_, i) => ` ${((i * 2654435761) >>> 0).toString(36)}`);
    for (let i = 0; i < Number(number); i++) {
      const text = [];
      for (let length = 0; length < 1e6; ) {
        seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
        const word = words[(seed >>> 8) & 4095];
        text.push(word);
        length += word.length;
      }
      const data = Buffer.from(text.join('').slice(0, 1e6), 'latin1');
      yield Buffer.concat([header(`data/${i}`, 1e6), data, Buffer.alloc(-1e6 & 511)]);
    }
  }
  yield Buffer.alloc(1024);
}

// The diffID has to be known first: what is made is the same both times, and is not part of what is measured.
const hash = createHash('sha256');
for (const piece of tar()) hash.update(piece);
const diffId = `sha256:${hash.digest('hex')}`;
globalThis.gc?.();
const before = process.memoryUsage.rss();
const job = { digest: diffId, size: Number.MAX_SAFE_INTEGER, diffId, spacing };
const scan = createLayerScan(job, (algorithm) => {
  const tarHash = createHash(algorithm);
  return { update: (bytes) => void tarHash.update(bytes), digest: () => tarHash.digest('hex') };
});
let seconds = 0;
let compressed = 0;
let uncompressed = 0;
let peak = 0;
for (const piece of tar()) {
  const member = gzipSync(piece, { level: 1 });
  compressed += member.length;
  uncompressed += piece.length;
  const started = performance.now();
  await scan.push(member);
  seconds += (performance.now() - started) / 1000;
  peak = Math.max(peak, process.memoryUsage.rss() - before);
}
const started = performance.now();
const { section } = await scan.end();
seconds += (performance.now() - started) / 1000;
peak = Math.max(peak, process.memoryUsage.rss() - before);
console.log(
  JSON.stringify({
    kind,
    number: Number(number),
    seconds,
    compressed,
    uncompressed,
    indexBytes: section.length,
    peak,
  }),
);
