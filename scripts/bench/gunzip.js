// Node's zlib as a stream with chunks of 1 MiB, the size that suits it best, over the files named.
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';

const chunk = 1 << 20;
for (const file of process.argv.slice(2)) {
  await pipeline(
    createReadStream(file, { highWaterMark: chunk }),
    createGunzip({ chunkSize: chunk }),
    async (out) => {
      for await (const _ of out);
    },
  );
}
