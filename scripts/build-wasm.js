// Compiles the AssemblyScript DEFLATE core to WebAssembly, next to the compiled TypeScript that loads it.
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(root, 'dist/src/inflate');
mkdirSync(out, { recursive: true });
const { error, stderr } = await asc.main([
  join(root, 'src/inflate/core/index.ts'),
  '--outFile',
  join(out, 'core.wasm'),
  '--runtime',
  'stub',
  '--enable',
  'simd,bulk-memory',
  '-O3',
  '--initialMemory',
  '22',
  '--maximumMemory',
  '22',
  '--noAssert',
  '--converge',
]);
if (error) {
  console.error(stderr.toString());
  console.error(error.message);
  process.exit(1);
}
