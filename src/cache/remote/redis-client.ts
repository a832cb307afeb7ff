import { createRequire } from 'node:module';
import type * as IoRedis from 'ioredis';
import type { RedisAddress } from './address.js';

export type RedisClient = IoRedis.Redis | IoRedis.Cluster;

export interface RedisConnection {
  /** Runs commands on a connection that is up. Throws what they throw, and the last connection error while there is none. */
  run<T>(action: (client: RedisClient) => Promise<T>): Promise<T>;
  /** Gives up the connection with all that waits for an answer on it; another is made in the background. */
  reset(): void;
  close(): void;
}

export interface RedisConnectionOptions {
  connectTimeout: number;
  insecure: boolean;
}

/** Longest pause between two attempts to connect again, milliseconds. */
const MAX_PAUSE = 2000;

/**
 * One connection to Redis or Valkey, or to each node of a Cluster. Nothing is queued or sent twice while the connection is down:
 * commands fail at once. A single address that answers MOVED is a cluster's, and is spoken to as one from then on.
 */
export function createRedisConnection(
  address: RedisAddress,
  options: RedisConnectionOptions,
): RedisConnection {
  const { Redis, Cluster } = createRequire(import.meta.url)('ioredis') as typeof IoRedis;
  let lastError: unknown;
  let connecting: Promise<void> | undefined;
  let client: RedisClient | undefined;
  let clustered = address.cluster;

  const pause = (times: number) => Math.min(50 * 2 ** times, MAX_PAUSE);
  const common = {
    ...(address.username !== undefined && { username: address.username }),
    ...(address.password !== undefined && { password: address.password }),
    connectTimeout: options.connectTimeout,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
  };

  function create(): RedisClient {
    const [node] = address.nodes;
    const tls = (host: string) =>
      address.tls
        ? {
            tls: {
              rejectUnauthorized: !options.insecure,
              ...(!/^[0-9.]+$|:/.test(host) && { servername: host }),
            },
          }
        : {};
    const host = node?.host ?? '';
    if (clustered) {
      return new Cluster(address.nodes, {
        lazyConnect: true,
        enableOfflineQueue: false,
        clusterRetryStrategy: pause,
        slotsRefreshTimeout: options.connectTimeout,
        redisOptions: { ...common, ...tls(host) },
      });
    }
    return new Redis({
      ...common,
      ...tls(host),
      host,
      port: node?.port ?? 6379,
      db: address.db,
      lazyConnect: true,
      enableOfflineQueue: false,
      retryStrategy: pause,
    });
  }

  /** A client that is ready, or the error of why there is none. */
  async function ready(): Promise<RedisClient> {
    if (client === undefined) {
      client = create();
      // What goes wrong later is told by the commands that fail.
      client.on('error', (error: unknown) => {
        lastError = error;
      });
      // A cluster that no node could be reached of ends with an error that names none of theirs.
      client.on('node error', (error: unknown) => {
        lastError = error;
      });
      const made = client;
      // The client selects its database too, and says nothing where there is none of that number.
      const select = async () => {
        if (made instanceof Redis && address.db > 0) await made.select(address.db);
      };
      connecting = made
        .connect()
        .then(select)
        .finally(() => {
          connecting = undefined;
        });
      connecting.catch((error: unknown) => {
        lastError ??= error;
      });
    }
    const current = client;
    if (connecting) {
      try {
        await connecting;
      } catch (error) {
        throw lastError ?? error;
      }
    }
    if (current.status === 'ready') return current;
    // It ended for good, as a cluster does that was never reached: the next attempt begins anew.
    if (current.status === 'end' && client === current) client = undefined;
    throw lastError ?? new Error('it is not connected');
  }

  function end(): void {
    client?.disconnect();
    client = undefined;
    connecting = undefined;
  }

  return {
    async run(action) {
      const single = !clustered;
      const current = await ready();
      try {
        return await action(current);
      } catch (error) {
        if (single && client === current && error instanceof Error && error.message.startsWith('MOVED ')) {
          clustered = true;
          end();
        }
        // What was under way on the single connection when it was given up is sent again, too.
        if (!single || !clustered) throw error;
        return await action(await ready());
      }
    },
    reset() {
      // A new client, not a reconnect of this one: what waits on the old one must not outlive it.
      end();
    },
    close: end,
  };
}
