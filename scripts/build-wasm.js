// Compiles what is written in AssemblyScript to WebAssembly, next to the compiled TypeScript that loads it.
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** `pages`: all the memory that an instance ever has, 64 KiB each. */
async function compile(source, wasm, pages) {
  const outFile = join(root, 'dist/src', wasm);
  mkdirSync(dirname(outFile), { recursive: true });
  const { error, stderr } = await asc.main([
    join(root, 'src', source),
    '--outFile',
    outFile,
    '--runtime',
    'stub',
    '--enable',
    'simd,bulk-memory',
    '-O3',
    '--initialMemory',
    String(pages),
    '--maximumMemory',
    String(pages),
    '--noAssert',
    '--converge',
  ]);
  if (!error) return;
  console.error(stderr.toString());
  console.error(error.message);
  process.exit(1);
}

await compile('inflate/core/index.ts', 'inflate/core.wasm', 22);
await compile('format/core/paths.ts', 'format/paths.wasm', 6);
