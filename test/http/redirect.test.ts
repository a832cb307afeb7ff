import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createHttpClient } from '../../src/http/client.js';
import { DEFAULT_CONNECTION } from '../../src/http/options.js';

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('a redirect to another origin takes no login along, an S3 session token neither', async (t) => {
  const seen: IncomingHttpHeaders[] = [];
  const there = createServer((request, response) => {
    seen.push(request.headers);
    response.end('ok');
  });
  const target = await listen(there);
  const here = createServer((request, response) => {
    seen.push(request.headers);
    const location = request.url === '/own' ? '/out' : `${target}/x`;
    response.writeHead(307, { location }).end();
  });
  const url = new URL(`${await listen(here)}/own`);
  const client = createHttpClient({ ...DEFAULT_CONNECTION, plainHttp: true });
  t.after(async () => {
    await client.close();
    for (const server of [here, there]) server.close();
  });
  const secrets = { authorization: 'AWS4-HMAC-SHA256 x', 'x-amz-security-token': 'session' };
  const { body, status } = await client.request({
    method: 'GET',
    url,
    headers: { ...secrets, range: 'bytes=0-1' },
  });
  await body.discard();
  assert.equal(status, 200);
  const told = seen.map(
    (headers) => Object.keys(secrets).filter((name) => headers[name] !== undefined).length,
  );
  assert.deepEqual(told, [2, 2, 0]);
  assert.equal(seen[2]?.range, 'bytes=0-1');
});
