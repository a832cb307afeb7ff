/**
 * Real cache servers on loopback ports, for tests: Debian's redis-server, single and as a Cluster, nginx with DAV, and the npm
 * package @20minutes/s3rver, an S3 server that checks SigV4 signatures. Each runs in a folder that goes with it.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from './run-clip.js';
import { freePort, type ServerProcess, startServerProcess } from './server-process.js';

type Cleanup = Pick<TestContext, 'after'>;

export interface CacheServer {
  /** For `--remote-cache`. */
  url: string;
  port: number;
  kill(signal: NodeJS.Signals): void;
  /** SIGKILL, and waits until it is gone. */
  stop(): Promise<void>;
  /** Starts it anew on its port, empty unless it keeps files. */
  restart(): Promise<void>;
}

interface ServerOptions {
  program: string;
  url: string;
  /** A folder that holds what the server needs; it is removed once the server is gone. */
  cwd: string;
  port: number;
  args: string[];
}

async function startServer(t: Cleanup, { url, ...options }: ServerOptions): Promise<CacheServer> {
  let server: ServerProcess | undefined;
  // One hook for both: a server that is still up would write into the folder while that is removed.
  t.after(async () => {
    await server?.stop();
    rmSync(options.cwd, { recursive: true, force: true });
  });
  server = await startServerProcess(options);
  return {
    url,
    port: options.port,
    kill: (signal) => server?.kill(signal),
    stop: async () => server?.stop(),
    async restart() {
      server = await startServerProcess(options);
    },
  };
}

function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), 'clip-server-'));
}

/** Debian's redis-server. `extra`: its own options, such as `['--maxmemory', '8mb']`. */
export async function startRedis(t: Cleanup, extra: string[] = []): Promise<CacheServer> {
  const cwd = makeFolder();
  const port = await freePort();
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', ...extra];
  return startServer(t, { program: 'redis-server', args, port, url: `redis://127.0.0.1:${port}`, cwd });
}

/** A Redis Cluster of three; the URL names one of them. */
export async function startRedisCluster(t: Cleanup): Promise<{ url: string; nodes: CacheServer[] }> {
  const nodes: CacheServer[] = [];
  for (let i = 0; i < 3; i++) {
    nodes.push(
      await startRedis(t, [
        ...['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf'],
        ...['--cluster-port', `${await freePort()}`, '--cluster-require-full-coverage', 'no'],
      ]),
    );
  }
  const hosts = nodes.map(({ port }) => `127.0.0.1:${port}`);
  const made = await run('redis-cli', ['--cluster', 'create', ...hosts, '--cluster-yes']);
  if (made.status !== 0) throw new Error(`redis-cli --cluster create: ${made.stdout}${made.stderr}`);
  for (const node of nodes) {
    while (!(await redisCli(node, 'cluster', 'info')).includes('cluster_state:ok')) await sleep(50);
  }
  return { url: nodes[0]?.url ?? '', nodes };
}

export async function redisCli(server: { port: number }, ...args: string[]): Promise<string> {
  const { stdout } = await run('redis-cli', ['-p', `${server.port}`, ...args]);
  return stdout.toString().trim();
}

/** nginx with DAV; `login`: `user:password` that it asks for. `root` is where its files are. */
export async function startNginx(
  t: Cleanup,
  { login }: { login?: string } = {},
): Promise<CacheServer & { root: string }> {
  const cwd = makeFolder();
  const port = await freePort();
  const root = join(cwd, 'files');
  mkdirSync(join(root, 'cache'), { recursive: true });
  if (login !== undefined) writeFileSync(join(cwd, 'users'), login.replace(':', ':{PLAIN}'));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${cwd}/tmp-${kind};`,
  );
  writeFileSync(
    join(cwd, 'nginx.conf'),
    `daemon off; master_process off; pid ${cwd}/nginx.pid; error_log stderr;
    events {}
    http {
      access_log off; ${temporary.join(' ')} client_max_body_size 0;
      server {
        listen 127.0.0.1:${port}; root ${root};
        location / {
          dav_methods PUT DELETE; create_full_put_path on;
          ${login === undefined ? '' : `auth_basic cache; auth_basic_user_file ${cwd}/users;`}
        }
      }
    }`,
  );
  const at = login === undefined ? '' : `${login}@`;
  const server = await startServer(t, {
    program: 'nginx',
    args: ['-e', 'stderr', '-c', join(cwd, 'nginx.conf')],
    port,
    url: `http://${at}127.0.0.1:${port}/cache`,
    cwd,
  });
  return { ...server, root };
}

interface S3rver {
  run(): Promise<{ port: number }>;
  close(): Promise<void>;
}

export interface S3Server {
  port: number;
  url: string;
  /** The variables with which clip finds it. */
  env: { AWS_ACCESS_KEY_ID: string; AWS_SECRET_ACCESS_KEY: string; AWS_ENDPOINT_URL: string };
  /** Where the objects are. */
  folder: string;
}

/** An S3 server in this process, with one bucket. */
export async function startS3(t: Cleanup): Promise<S3Server> {
  const S3 = createRequire(import.meta.url)('@20minutes/s3rver') as new (options: object) => S3rver;
  const folder = makeFolder();
  const configureBuckets = [{ name: 'spans' }];
  const server = new S3({ port: 0, address: '127.0.0.1', silent: true, directory: folder, configureBuckets });
  t.after(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const { port } = await server.run();
  return {
    port,
    url: 's3://spans/team a/(1)',
    folder,
    env: {
      AWS_ACCESS_KEY_ID: 'S3RVER',
      AWS_SECRET_ACCESS_KEY: 'S3RVER',
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    },
  };
}
