// Reads in one process, through the library: 4 KiB from the memory tier, and a thousand readers at once. Prints JSON.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { withDefaults } from '../../dist/src/build/default-options.js';
import { fanOut, openImage, resolvePath, textToByteString } from '../../dist/src/index.js';
import { createReceipt } from '../../dist/src/read/receipt.js';
import { quantile } from './run.js';

const [target, reference, ...paths] = process.argv.slice(2);

async function open() {
  const receipt = createReceipt();
  const options = withDefaults({ source: reference, useCache: false, observer: fanOut(receipt) });
  const image = await openImage(target, options);
  const nodes = await Promise.all(
    paths.map((path) => resolvePath(image.index, textToByteString(path), { followLast: true })),
  );
  return { image, nodes, receipt };
}

async function warm() {
  const { image, nodes } = await open();
  const { reader } = image;
  const node = nodes[0];
  const range = { offset: 0, length: 4096 };
  await reader.readAll(node, range);
  reader.remember(node);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const promised = [];
  for (let i = 0; i < 20_000; i++) {
    const started = performance.now();
    await reader.readAll(node, range);
    promised.push((performance.now() - started) * 1000);
  }
  const rounds = 500_000;
  let found = 0;
  const started = performance.now();
  for (let i = 0; i < rounds; i++) if (reader.peek(node, 0, 4096)) found++;
  const seconds = (performance.now() - started) / 1000;
  await image.close();
  return {
    readAllMicroseconds: { p50: quantile(promised, 0.5), p99: quantile(promised, 0.99) },
    peeksPerSecond: found === rounds ? rounds / seconds : 0,
  };
}

async function crowd() {
  const { image, nodes, receipt } = await open();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const latency = [];
  delay.enable();
  await Promise.all(
    Array.from({ length: 1000 }, async (_, i) => {
      const started = performance.now();
      await image.reader.readAll(nodes[i % nodes.length]);
      latency.push(performance.now() - started);
    }),
  );
  delay.disable();
  await image.close();
  const { inflates, misses, requests, reads } = receipt.toJSON();
  return {
    files: nodes.length,
    reads,
    inflates,
    misses,
    requests,
    milliseconds: { p50: quantile(latency, 0.5), p99: quantile(latency, 0.99) },
    loopDelay: { p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 },
  };
}

console.log(JSON.stringify({ warm: await warm(), crowd: await crowd() }));
