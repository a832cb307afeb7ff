/** A TCP proxy that behaves like a slow link: each direction is delayed and limited, in front of a server on this machine. */

import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface ShapedLink {
  /** `127.0.0.1:PORT`, to use in place of the server's own. */
  host: string;
  stop(): Promise<void>;
}

export interface LinkShape {
  /** Milliseconds that a byte takes there and back; connecting takes as long. */
  roundTrip: number;
  /** Bytes a second towards the client; default no limit. */
  bandwidth?: number;
}

export async function startShapedLink(to: string, shape: LinkShape): Promise<ShapedLink> {
  const [hostname = '', port = ''] = to.split(':');
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const onward = connect(Number(port), hostname);
    for (const socket of [client, onward]) {
      socket.setNoDelay(true);
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    }
    client.on('error', () => onward.destroy());
    onward.on('error', () => client.destroy());
    // The handshake's round trip delays all that the client sends, once.
    carry(client, onward, { delay: shape.roundTrip / 2, first: shape.roundTrip });
    carry(onward, client, {
      delay: shape.roundTrip / 2,
      first: 0,
      ...(shape.bandwidth !== undefined && { bandwidth: shape.bandwidth }),
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Lane {
  delay: number;
  /** Milliseconds before the first byte leaves. */
  first: number;
  bandwidth?: number;
}

/** Bytes keep their order: each chunk arrives when the lane is free and the delay is over. */
function carry(from: Socket, to: Socket, { delay, first, bandwidth }: Lane): void {
  let free = performance.now() + first;
  let last: Promise<void> = Promise.resolve();
  from.on('data', (chunk: Buffer) => {
    free =
      Math.max(free, performance.now()) + (bandwidth === undefined ? 0 : (chunk.length / bandwidth) * 1000);
    const due = free + delay;
    if (free - performance.now() > 20) {
      // What is under way is bounded, as on a real link.
      from.pause();
      setTimeout(() => from.resume(), free - performance.now());
    }
    last = last.then(() => sleepUntil(due)).then(() => void to.write(chunk));
  });
  from.on('end', () => {
    last = last.then(() => void to.end());
  });
}

async function sleepUntil(due: number): Promise<void> {
  const left = due - performance.now();
  if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
}
