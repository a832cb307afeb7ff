// Puts entries into a disk tier until it is killed. Arguments: cache folder, seed.
import { hash } from 'node:crypto';
import { createDiskTier } from '../../src/cache/disk.js';
import { silentObserver } from '../../src/observer.js';
import { noise } from './fake-image.js';

const [cacheDir = '', seed = '0'] = process.argv.slice(2);
const tier = createDiskTier({ cacheDir, quota: 1 << 30, observer: silentObserver });
const value = noise(150_000, Number(seed) + 1);
for (let i = 0; ; i++) {
  value.writeUInt32LE(i);
  tier.put(hash('sha256', value, 'hex'), value);
  if (i === 0) process.stdout.write('writing\n');
}
