import type { RedisAddress } from './address.js';
import type { RemoteEngine } from './engine.js';
import { createRedisConnection, type RedisConnectionOptions } from './redis-client.js';

/** Redis' default proto-max-bulk-len, and the limit of a string value. */
const MAX_VALUE = 512 << 20;

export interface RedisEngineOptions extends RedisConnectionOptions {
  /** Seconds that an entry is kept after it was written. */
  ttl: number;
}

/** Redis and Valkey, single or Cluster: the value is a string under `clip:<key>`. */
export function createRedisEngine(address: RedisAddress, options: RedisEngineOptions): RemoteEngine {
  // A megabyte that is on its way to the server must not stand before a read.
  const reading = createRedisConnection(address, options);
  const writing = createRedisConnection(address, options);
  const name = (key: string) => `clip:${key}`;

  return {
    maxValue: MAX_VALUE,
    async get(key, length) {
      // Like GET, but a value that is longer than it should be is cut: whoever wrote it does not choose how much memory this takes.
      const value = await reading.run((client) => client.getrangeBuffer(name(key), 0, length));
      return value.byteLength === 0 ? undefined : value;
    },
    async put(key, value) {
      const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      await writing.run((client) => client.set(name(key), bytes, 'EX', options.ttl));
    },
    async drop(key) {
      await writing.run((client) => client.del(name(key)));
    },
    reset() {
      reading.reset();
      writing.reset();
    },
    async close() {
      reading.close();
      writing.close();
    },
  };
}
