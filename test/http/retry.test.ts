import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLoopback } from '../../src/http/hosts.js';
import { redactUrl } from '../../src/http/redact-url.js';
import { backoff, isTransientStatus, parseRetryAfter } from '../../src/http/retry.js';

test('URLs are shown without user, password, fragment and unknown query values', () => {
  assert.equal(
    redactUrl('https://user:pass@h:1/a%20b?X-Amz-Signature=abc&sig=d&se=e&token=x#frag'),
    'https://h:1/a%20b?X-Amz-Signature=REDACTED&sig=REDACTED&se=REDACTED&token=REDACTED',
  );
  assert.equal(
    redactUrl('https://auth/token?service=a&scope=repository%3Ax%2Fy%3Apull&account=bob'),
    'https://auth/token?service=a&scope=repository:x/y:pull&account=REDACTED',
  );
  assert.equal(redactUrl('nonsense secret'), '(invalid URL)');
});

test('Retry-After: seconds, dates, nonsense', () => {
  assert.equal(parseRetryAfter('120'), 120_000);
  const now = Date.parse('Wed, 21 Oct 2015 07:28:00 GMT');
  assert.equal(parseRetryAfter('Wed, 21 Oct 2015 07:28:30 GMT', now), 30_000);
  assert.equal(parseRetryAfter('Wed, 21 Oct 2015 07:00:00 GMT', now), 0);
  for (const wrong of [undefined, '', '-1', 'soon', '1.5']) assert.equal(parseRetryAfter(wrong), undefined);
});

test('delays double, keep at least half, and have an end', () => {
  for (let attempt = 1; attempt < 60; attempt++) {
    const full = Math.min(8000, 250 * 2 ** (attempt - 1));
    const delay = backoff(attempt);
    assert.ok(delay >= full / 2 && delay <= full, `${attempt}: ${delay}`);
  }
});

test('transient statuses and loopback hosts', () => {
  assert.deepEqual(
    [200, 401, 404, 408, 429, 500, 501, 502, 503, 504, 505].filter(isTransientStatus),
    [408, 429, 500, 502, 503, 504],
  );
  for (const host of ['localhost', 'LOCALHOST', 'a.localhost', '127.0.0.1', '127.9.9.9', '[::1]'])
    assert.ok(isLoopback(host), host);
  for (const host of ['127.0.0.1.evil.example', 'localhost.example', '128.0.0.1', '[::2]', '0.0.0.0'])
    assert.ok(!isLoopback(host), host);
});
