import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isClipError } from '../../src/errors.js';
import {
  compatiblePlatforms,
  hostPlatform,
  isAttestation,
  normalisePlatform,
  parsePlatform,
  platformRank,
  printPlatform,
} from '../../src/oci/platform.js';

const names = (text: string): string[] => compatiblePlatforms(parsePlatform(text)).map(printPlatform);

test('platforms are parsed and normalised as containerd does', () => {
  const examples: Record<string, string> = {
    'linux/amd64': 'linux/amd64',
    'linux/x86_64': 'linux/amd64',
    'Linux/AMD64/v1': 'linux/amd64',
    'linux/aarch64': 'linux/arm64',
    'linux/arm64/v8': 'linux/arm64',
    'linux/arm64/v9': 'linux/arm64/v9',
    'linux/arm': 'linux/arm/v7',
    'linux/armhf': 'linux/arm/v7',
    'linux/armel': 'linux/arm/v6',
    'linux/arm/6': 'linux/arm/v6',
    'linux/i386': 'linux/386',
    arm64: 'linux/arm64',
    'macos/arm64': 'darwin/arm64',
  };
  for (const [text, wanted] of Object.entries(examples))
    assert.equal(printPlatform(parsePlatform(text)), wanted, text);
  for (const text of ['', '/', 'a/b/c/d', 'linux/', 'x y', 'nonsense', '*/amd64']) {
    assert.throws(
      () => parsePlatform(text),
      (error) => isClipError(error, 'USAGE'),
    );
  }
});

test('fallbacks go from the platform itself to lower variants', () => {
  assert.deepEqual(names('linux/arm/v7'), ['linux/arm/v7', 'linux/arm/v6', 'linux/arm/v5']);
  assert.deepEqual(names('linux/arm/v5'), ['linux/arm/v5']);
  assert.deepEqual(names('linux/arm64'), [
    'linux/arm64',
    'linux/arm/v8',
    'linux/arm/v7',
    'linux/arm/v6',
    'linux/arm/v5',
  ]);
  assert.deepEqual(names('linux/amd64/v3'), ['linux/amd64/v3', 'linux/amd64/v2', 'linux/amd64', 'linux/386']);
  assert.deepEqual(names('linux/s390x'), ['linux/s390x']);
  assert.ok(names('linux/amd64/v99999999').length < 200);
});

test('rank: the exact platform wins, another operating system never fits', () => {
  const arm = parsePlatform('linux/arm/v7');
  assert.equal(platformRank(arm, { os: 'linux', architecture: 'arm', variant: 'v7' }), 0);
  assert.equal(platformRank(arm, { os: 'linux', architecture: 'arm' }), 0);
  assert.equal(platformRank(arm, { os: 'linux', architecture: 'arm', variant: 'v6' }), 1);
  assert.equal(platformRank(arm, { os: 'linux', architecture: 'arm', variant: 'v8' }), undefined);
  assert.equal(platformRank(arm, { os: 'windows', architecture: 'arm' }), undefined);
});

test('the default is linux on this machine', () => {
  assert.equal(printPlatform(hostPlatform('x64')), 'linux/amd64');
  assert.equal(printPlatform(hostPlatform('arm64')), 'linux/arm64');
  assert.equal(printPlatform(hostPlatform('arm')), 'linux/arm/v7');
  assert.equal(printPlatform(hostPlatform('ia32')), 'linux/386');
  assert.deepEqual(normalisePlatform(hostPlatform()), hostPlatform());
});

test('attestations are recognised by platform or annotation', () => {
  const base = { mediaType: '', digest: '', size: 0 };
  assert.equal(isAttestation({ ...base, platform: { os: 'unknown', architecture: 'unknown' } }), true);
  const annotations = { 'vnd.docker.reference.type': 'attestation-manifest' };
  assert.equal(isAttestation({ ...base, annotations }), true);
  assert.equal(isAttestation({ ...base, platform: { os: 'linux', architecture: 'amd64' } }), false);
});
