/** A forward proxy for tests: CONNECT and absolute URLs, every host led to one server; with a login where asked. */

import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';

export interface TestProxy {
  /** `http://127.0.0.1:PORT`. */
  url: string;
  /** `CONNECT host:port`, or `GET http://host/…`. */
  log: string[];
  stop(): Promise<void>;
}

export interface ProxyOptions {
  /** Origin of the server. */
  to: string;
  login?: string;
  /** The proxy itself speaks TLS. */
  tls?: { key: string; cert: string };
}

export async function startProxy(options: ProxyOptions): Promise<TestProxy> {
  const target = new URL(options.to);
  const log: string[] = [];
  const allowed = ({ headers }: IncomingMessage): boolean =>
    options.login === undefined ||
    headers['proxy-authorization'] === `Basic ${Buffer.from(options.login).toString('base64')}`;

  const { tls } = options;
  const server = tls ? createSecureServer(tls, onRequest) : createServer(onRequest);
  function onRequest(request: IncomingMessage, response: ServerResponse): void {
    log.push(`${request.method} ${request.url}`);
    if (!allowed(request)) {
      response.writeHead(407).end();
      return;
    }
    const { pathname, search } = new URL(request.url ?? '');
    const { 'proxy-authorization': _, ...headers } = request.headers;
    const onward = httpRequest(new URL(pathname + search, target), {
      method: request.method ?? 'GET',
      headers,
    });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  }
  server.on('connect', (request: IncomingMessage, client: Socket) => {
    log.push(`CONNECT ${request.url}`);
    if (!allowed(request)) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    const onward = connect(Number(target.port), target.hostname, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.pipe(client).pipe(onward);
    });
    onward.on('error', () => client.destroy());
    client.on('error', () => onward.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `${tls ? 'https://localhost' : 'http://127.0.0.1'}:${(server.address() as AddressInfo).port}`,
    log,
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** A SOCKS5 proxy (RFC 1928, with the login of RFC 1929 where one is wanted), every host led to one server. */
export async function startSocks(options: { to: string; login?: string }): Promise<TestProxy> {
  const { port, hostname } = new URL(options.to);
  const log: string[] = [];
  const open = new Set<Socket>();
  const server = createTcpServer((client) => {
    open.add(client);
    client.on('error', () => client.destroy());
    void serve(client).catch(() => client.destroy());
  });

  async function serve(client: Socket): Promise<void> {
    const next = () =>
      new Promise<Buffer>((resolve) => {
        client.once('data', resolve);
      });
    await next();
    client.write(Buffer.from([5, options.login === undefined ? 0 : 2]));
    if (options.login !== undefined) {
      const given = await next();
      const user = given.subarray(2, 2 + given[1]!).toString();
      const password = given.subarray(3 + given[1]!).toString();
      client.write(Buffer.from([1, `${user}:${password}` === options.login ? 0 : 1]));
      if (`${user}:${password}` !== options.login) return;
    }
    const wanted = await next();
    log.push(`SOCKS ${wanted.subarray(5, 5 + wanted[4]!)}:${wanted.readUInt16BE(5 + wanted[4]!)}`);
    const onward = connect(Number(port), hostname, () => {
      client.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]));
      onward.pipe(client).pipe(onward);
    });
    onward.on('error', () => client.destroy());
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `socks5://127.0.0.1:${(server.address() as AddressInfo).port}`,
    log,
    async stop() {
      for (const client of open) client.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
