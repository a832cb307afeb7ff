/**
 * A real server as a child process on a loopback port. It can't outlive the test file that started it, and it never holds that file
 * open: a test that fails before its clean-up ends as a failure, not as a run that hangs.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ServerProcess {
  kill(signal: NodeJS.Signals): void;
  /** SIGKILL, and waits until it is gone, also where it was stopped (SIGSTOP) or is gone already. */
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * Starts a server and waits until its port takes a connection, 10 s at most.
 * @throws Error with the end of what it printed, when it ends before that or takes too long
 */
export async function startServerProcess(options: {
  program: string;
  args: string[];
  port: number;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
}): Promise<ServerProcess> {
  const { program, args, port, cwd, env } = options;
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2000);
    });
    (stream as Socket).unref();
  }
  child.unref();
  const gone = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      said += error.message;
      resolve();
    });
    child.once('exit', () => resolve());
  }).then(() => void running.delete(child));

  async function stop(): Promise<void> {
    child.ref();
    child.kill('SIGKILL');
    await gone;
  }

  for (let tries = 0; tries < 500; tries++) {
    if (await answers(port)) return { kill: (signal) => child.kill(signal), stop };
    if (!running.has(child)) break;
    await sleep(20);
  }
  await stop();
  throw new Error(`${program} does not start: ${said}`);
}

/** A port on 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
