// Which scheme a registry speaks, with requests that come at the same time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { ClipError } from '../../src/errors.js';
import type { HttpClient, HttpRequest } from '../../src/http/client.js';
import type { HttpResponse } from '../../src/http/transport.js';
import { createEndpoint } from '../../src/source/registry/endpoint.js';

/** A registry that speaks one of both; what it is asked is in `asked`. */
function registryOf(scheme: 'http:' | 'https:') {
  const asked: string[] = [];
  const client: HttpClient = {
    async request({ url }: HttpRequest) {
      asked.push(`${url}`);
      await wait(5);
      if (url.protocol === scheme) return { status: 200, headers: {}, url } as unknown as HttpResponse;
      const code = url.protocol === 'https:' ? 'EPROTO' : 'ECONNRESET';
      throw new ClipError('NETWORK', 'no', { cause: Object.assign(new Error(code), { code }) });
    },
    async close() {},
  };
  return { asked, client };
}

for (const [registry, scheme] of [
  ['reg.example:5000', 'http:'],
  ['reg.example:5000', 'https:'],
  ['127.0.0.1:5000', 'http:'],
  ['127.0.0.1:5000', 'https:'],
] as const) {
  test(`first requests that come together to ${scheme}//${registry} all find out how it speaks`, async () => {
    const { asked, client } = registryOf(scheme);
    const endpoint = createEndpoint(client, registry, { plainHttp: false, plainFallback: true });
    const requests = ['a', 'b', 'c'].map((path) => endpoint.request(path, { method: 'GET' }));
    await Promise.all(requests);
    assert.equal(endpoint.base.protocol, scheme);
    const wrong = asked.filter((url) => !url.startsWith(scheme));
    assert.ok(wrong.length <= 1, wrong.join(', '));
    assert.equal(asked.length, 3 + wrong.length);
  });
}

test('one that waits for the answer of another can be given up', async () => {
  const { client } = registryOf('http:');
  const slow: HttpClient = {
    async request(request) {
      await wait(request.signal ? 0 : 200);
      return client.request(request);
    },
    async close() {},
  };
  const endpoint = createEndpoint(slow, 'reg.example', { plainHttp: false, plainFallback: true });
  const first = endpoint.request('a', { method: 'GET' });
  const controller = new AbortController();
  const second = endpoint.request('b', { method: 'GET', signal: controller.signal });
  const reason = new Error('given up');
  controller.abort(reason);
  await assert.rejects(second, reason);
  assert.equal((await first).status, 200);
});

test('one that waits for the answer of another is not failed by it', async () => {
  let calls = 0;
  const client: HttpClient = {
    async request({ url }: HttpRequest) {
      await wait(5);
      if (++calls === 1) throw new ClipError('INTERRUPTED', 'gone');
      return { status: 200, headers: {}, url } as unknown as HttpResponse;
    },
    async close() {},
  };
  const endpoint = createEndpoint(client, 'reg.example', { plainHttp: false, plainFallback: true });
  const [first, second] = await Promise.allSettled(
    ['a', 'b'].map((path) => endpoint.request(path, { method: 'GET' })),
  );
  assert.equal(first?.status, 'rejected');
  assert.equal(second?.status, 'fulfilled');
});
