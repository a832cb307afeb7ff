/** What checkpoints cost on a real tar, and what a scan costs in memory. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { createGzip, deflateRawSync, gzipSync } from 'node:zlib';
import { inflateGzipSpan } from '../../src/inflate/gzip/resume.js';
import { createGzipScanner } from '../../src/inflate/gzip/scan.js';

const LIMIT = 120_000_000;
const MIB = 1 << 20;

/** Up to `LIMIT` bytes of a tar of this machine's files, gzipped on the way. */
async function tarOfThisMachine(): Promise<Buffer> {
  const tar = spawn('tar', ['--sort=name', '-cf', '-', '-C', '/', 'usr/share', 'usr/lib'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const gzip = createGzip({ level: 6 });
  const pieces: Buffer[] = [];
  gzip.on('data', (piece: Buffer) => pieces.push(piece));
  const done = new Promise((resolve, reject) => gzip.on('end', resolve).on('error', reject));
  let length = 0;
  for await (const chunk of tar.stdout as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (!gzip.write(chunk)) await new Promise((resolve) => gzip.once('drain', resolve));
    if (length > LIMIT) break;
  }
  tar.kill();
  gzip.end();
  await done;
  return Buffer.concat(pieces);
}

test('sparse windows of a real tar at 1 MiB take at most 0.6 % of its compressed bytes', async (t) => {
  if (!existsSync('/usr/lib')) return t.skip('needs /usr/lib');
  const blob = await tarOfThisMachine();
  let cost = 0;
  let spans = 0;
  let longest = 0;
  const scanner = createGzipScanner(
    {
      data: () => {},
      span(span, { window }) {
        if (window.length > 0) cost += deflateRawSync(window, { level: 9 }).length;
        spans++;
        longest = Math.max(longest, span.length);
        // Every window is right: with it alone, the span inflates (the digest is checked by the other tests).
        inflateGzipSpan(span, { window, header: undefined }, blob.subarray(span.byte, span.end));
      },
    },
    { spacing: MIB },
  );
  scanner.push(blob);
  const { uncompressedSize } = await scanner.end();
  if (uncompressedSize < 100_000_000) return t.skip('needs 100 MB of files below /usr');
  t.diagnostic(
    `${spans} spans, windows ${((100 * cost) / blob.length).toFixed(3)} % of ${blob.length} bytes`,
  );
  assert.ok(cost <= 0.006 * blob.length, `${cost} of ${blob.length}`);
  assert.ok(longest <= 1.5 * MIB + 300);
  assert.ok(spans >= uncompressedSize / (1.3 * MIB));
});

test('memory does not grow with the layer, and positions go past 4 GiB', () => {
  // 4.1 GiB out of 4 MB.
  const member = gzipSync(Buffer.alloc(64 * MIB), { level: 9 });
  const count = 66;
  const tail = gzipSync(Buffer.from('the end of a very long layer. '.repeat(20_000)));
  let end = 0;
  let resumed = 0;
  const scanner = createGzipScanner(
    {
      data: () => {},
      span(span, context) {
        end = span.offset + span.length;
        // A blob of equal members: what lies at a place depends on the place in the member alone.
        if (span.offset < 2 ** 32 || span.byte >= count * member.length) return;
        const from = member.subarray(span.byte % member.length);
        const compressed = Buffer.concat([from, member, tail]).subarray(0, span.end - span.byte);
        const bytes = inflateGzipSpan(span, context, compressed);
        assert.equal(createHash('sha256').update(bytes).digest('hex'), span.digest);
        resumed++;
      },
    },
    { spacing: 64 * MIB },
  );
  const before = process.memoryUsage.rss();
  let most = 0;
  for (let i = 0; i < count; i++) {
    scanner.push(member);
    most = Math.max(most, process.memoryUsage.rss() - before);
  }
  scanner.push(tail);
  scanner.end();
  assert.equal(end, count * 64 * MIB + 600_000);
  assert.ok(resumed > 0);
  // One resumed span of at most 128 MiB, and what a scan holds.
  assert.ok(most < 220e6, `${most} bytes more`);
});
