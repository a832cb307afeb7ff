import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClipError } from '../../src/errors.js';
import { isExempt, proxyFor } from '../../src/http/proxy.js';

const to = (url: string, environment: Record<string, string>) =>
  proxyFor(new URL(url), environment)?.url.href;

test('which variable names the proxy', () => {
  const both = { HTTPS_PROXY: 'http://s:1', HTTP_PROXY: 'http://p:2' };
  assert.equal(to('https://a.test/', both), 'http://s:1/');
  assert.equal(to('http://a.test/', both), 'http://p:2/');
  assert.equal(to('https://a.test/', { ...both, https_proxy: 'http://l:3' }), 'http://l:3/');
  assert.equal(to('https://a.test/', { HTTP_PROXY: 'http://p:2' }), undefined);
  assert.equal(to('https://a.test/', { HTTPS_PROXY: 'p:2' }), 'http://p:2/');
  assert.equal(to('https://a.test/', { HTTPS_PROXY: 'socks5h://p:2' }), 'socks5://p:2');
  for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '[::1]', 'x.localhost']) {
    assert.equal(to(`https://${host}:5000/`, both), undefined, host);
  }
});

test('NO_PROXY', () => {
  const exempt = (url: string, list: string) => isExempt(new URL(url), list);
  for (const [url, list] of [
    ['https://a.test', '*'],
    ['https://a.test', 'b.test, a.test'],
    ['https://x.a.test', 'a.test'],
    ['https://x.a.test', '.a.test'],
    ['https://x.a.test', '*.a.test'],
    ['https://A.test', 'a.TEST'],
    ['https://a.test:5000', 'a.test:5000'],
    ['https://a.test', 'a.test:443'],
    ['http://a.test', 'a.test:80'],
    ['https://10.1.2.3', '10.0.0.0/8'],
    ['https://10.1.2.3', '10.1.2.3'],
    ['https://[2001:db8::1]', '2001:db8::/32'],
    ['https://[2001:db8::1]:5000', '[2001:db8:0::1]:5000'],
  ] as const) {
    assert.equal(exempt(url, list), true, `${url} ${list}`);
  }
  for (const [url, list] of [
    ['https://a.test', ''],
    ['https://ba.test', 'a.test'],
    ['https://a.test', '.a.test'],
    ['https://a.test:5000', 'a.test:443'],
    ['https://11.1.2.3', '10.0.0.0/8'],
    ['https://10.1.2.3', '10.0.0.0/99'],
    ['https://10.1.2.3', '::/0'],
    ['https://a.test', '0.0.0.0/0'],
  ] as const) {
    assert.equal(exempt(url, list), false, `${url} ${list}`);
  }
});

test('a wrong proxy is said without its password', () => {
  for (const value of ['http://user:geheim@', 'ftp://user:geheim@p:1', '://geheim']) {
    assert.throws(
      () => to('https://a.test/', { HTTPS_PROXY: value }),
      (error: unknown) => {
        assert.ok(error instanceof ClipError && error.code === 'USAGE');
        assert.doesNotMatch(`${error.stack} ${error.hint}`, /geheim/);
        return true;
      },
    );
  }
});
