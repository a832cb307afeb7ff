import { isDeepStrictEqual } from 'node:util';
import { type ByteString, byteStringToBytes } from '../../../src/bytes.js';
import { candidatesOf, escapeName, escapeText, unescapeName } from '../../../src/escape.js';
import { parseConfig } from '../../../src/oci/parse-config.js';
import { parseManifest } from '../../../src/oci/parse-manifest.js';
import { normalisePlatform, parsePlatform, printPlatform } from '../../../src/oci/platform.js';
import { parseImage } from '../../../src/reference/parse-image.js';
import { printFamiliar, printImage, printReference } from '../../../src/reference/print-image.js';
import { parseChallenges } from '../../../src/source/registry/challenge.js';
import { parseContentRange } from '../../../src/source/registry/content-range.js';
import { matchGlob, parseGlob } from '../../../src/tree/glob.js';
import { mutateBytes } from '../mutate-bytes.js';
import type { Random } from '../random.js';
import type { Target } from '../target.js';

/**
 * Small texts that others write: references, escaped names, manifests, configs, platforms, challenges, ranges, globs. The first byte
 * of an input says which. Oracle: what is printed parses to the same again.
 */
export function referenceTarget(): Target {
  return {
    name: 'reference',
    code: [
      'reference/',
      'oci/',
      'escape.js',
      'tree/glob.js',
      'source/registry/challenge.js',
      'source/registry/content-range.js',
    ],
    seeds: () => SEEDS.flatMap((texts, kind) => texts.map((text) => inputOf(kind, text))),
    mutate(input, other, random) {
      const kind = random.oneIn(30) ? random.below(SEEDS.length) : (input[0] ?? 0) % SEEDS.length;
      const text = Buffer.from(input).subarray(1).toString('utf8');
      const changed = random.oneIn(3)
        ? mutateBytes(input, other, random, 6000).subarray(1).toString('utf8')
        : undefined;
      const rest = Buffer.from(other).subarray(1).toString('utf8');
      return inputOf(
        kind,
        changed ?? (kind === 2 || kind === 3 ? mutateJson(text, random) : mutateText(text, rest, random)),
      );
    },
    run(input) {
      const text = Buffer.from(input).subarray(1).toString('utf8');
      CHECKS[(input[0] ?? 0) % CHECKS.length]!(text);
      return 'taken';
    },
  };
}

function inputOf(kind: number, text: string): Buffer {
  return Buffer.concat([Buffer.from([kind]), Buffer.from(text)]);
}

const HEX = 'a1'.repeat(32);
const DESCRIPTOR = `{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:${HEX}","size":5,"urls":["https://a/b"]}`;
const CONFIG = DESCRIPTOR.replace('layer.v1.tar+gzip', 'config.v1+json');
const MANIFEST = DESCRIPTOR.replace('layer.v1.tar+gzip', 'manifest.v1+json');

const SEEDS: readonly (readonly string[])[] = [
  [
    'debian',
    'debian:12',
    'docker://ghcr.io/a/b:c',
    `host:5000/x@sha256:${HEX}`,
    `a.b/c:d@sha256:${HEX}`,
    '[::1]:80/x',
    'oci:dir:tag',
    'oci:dir',
    `oci:/a/b@sha256:${HEX}`,
    'oci-archive:f.tar:@1',
    'docker-archive:f:debian:12',
    'tar:x',
    `docker-daemon:sha256:${HEX}`,
    'docker-daemon:debian:12',
    'localhost/x',
    'index.docker.io/library/debian',
    'oci:C:dir:tag',
  ],
  ['a/b', 'caf\u00e9', '\\x41\\n\\\\', '\\u{1f600}', 'a\\xffb', '\\', '\x1b[0m', '\u202e'],
  [
    `{"schemaVersion":2,"config":${CONFIG},"layers":[${DESCRIPTOR}],"annotations":{"a":"b"}}`,
    `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[${MANIFEST.replace('}', ',"platform":{"os":"linux","architecture":"arm64","variant":"v8","os.features":["x"]}}')}]}`,
    '{"schemaVersion":1,"fsLayers":[]}',
    `{"artifactType":"a/b","layers":[]}`,
  ],
  [`{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["sha256:${HEX}"]}}`, '{}'],
  ['linux/amd64', 'linux/arm/v7', 'windows/amd64:10.0', 'arm64', 'linux'],
  [
    'Bearer realm="https://a/t",service="s",scope="x y"',
    'Basic realm="a\\"b", Bearer a=b',
    'Negotiate abc==',
    'Digest a=b,c="d"',
  ],
  ['bytes 0-9/10', 'bytes 5-6/*', 'bytes */4'],
  ['**/*.so', 'etc/{a,b}*', '[a-z!]?', '[!a]**', '\\*', 'a/**/b'],
];

const CHECKS: readonly ((text: string) => void)[] = [
  (text) => {
    const image = parseImage(text);
    same(parseImage(printImage(image)), image, 'a printed image');
    if (image.transport !== 'docker') return;
    const { reference } = image;
    same(parseImage(printReference(reference)), image, 'a printed reference');
    same(parseImage(printFamiliar(reference)), image, 'a familiar reference');
  },
  (text) => {
    const name = unescapeName(text);
    if (name !== undefined) same(unescapeName(escapeName(name)), name, 'an escaped name');
    const raw = Buffer.from(text).toString('latin1') as ByteString;
    same(unescapeName(escapeName(raw)), raw, 'an escaped name');
    if (byteStringToBytes(raw).length !== raw.length) throw new Error('a byte string of another length');
    for (const shown of [escapeName(raw), escapeText(text)])
      if (/[\0-\x1f\x7f-\x9f\u2028-\u202f\u2066-\u2069]/.test(shown))
        throw new Error('an escape lets a control character through');
    candidatesOf(text);
  },
  (text) => {
    for (const type of ['', 'application/vnd.oci.image.index.v1+json']) {
      const document = parseManifest(Buffer.from(text), type);
      const all = document.kind === 'index' ? document.manifests : [document.config, ...document.layers];
      for (const { digest, size } of all)
        if (!/^sha(256|512):[0-9a-f]+$/.test(digest) || !Number.isSafeInteger(size) || size < 0)
          throw new Error('a descriptor that is not sound');
    }
  },
  (text) => {
    const { diffIds } = parseConfig(Buffer.from(text));
    if (!diffIds.every((digest) => /^sha(256|512):[0-9a-f]+$/.test(digest)))
      throw new Error('a diffID that is none');
  },
  (text) => {
    const platform = parsePlatform(text);
    same(normalisePlatform(normalisePlatform(platform)), normalisePlatform(platform), 'a normal platform');
    same(parsePlatform(printPlatform(platform)), platform, 'a printed platform');
  },
  (text) => {
    for (const { scheme } of parseChallenges(text))
      if (scheme === '') throw new Error('a challenge without a scheme');
  },
  (text) => {
    const range = parseContentRange(text);
    if (range && !(range.first <= range.last && (range.total === undefined || range.last < range.total)))
      throw new Error('a range that is not sound');
  },
  (text) => {
    const [pattern = '', path = 'etc/a.so'] = text.split('\n');
    for (const glob of parseGlob(pattern))
      matchGlob(glob, Buffer.from(path).toString('latin1') as ByteString);
  },
];

function same(actual: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(actual, expected))
    throw new Error(
      `${what} is not the same again: ${JSON.stringify(expected)} became ${JSON.stringify(actual)}`,
    );
}

const TOKENS = [
  ':',
  '/',
  '@',
  '//',
  '.',
  '..',
  '-',
  '_',
  '__',
  '[',
  ']',
  '\\',
  '"',
  '=',
  ',',
  ' ',
  '\t',
  '\n',
  '*',
  '**',
  '?',
  '{',
  '}',
  '!',
  '%',
  '#',
  'a',
  'A',
  '0',
  '65535',
  '65536',
  'sha256:',
  HEX,
  'docker.io',
  'localhost',
  'latest',
  'oci:',
  'docker://',
  'library',
  '\u00e9',
  '\u0000',
  'xn--a',
  '127.0.0.1',
  '::1',
  'bytes',
  'linux',
  'v8',
  '\\x',
  '\\u{',
  '[a-',
  '[!',
  'z'.repeat(130),
  'a/'.repeat(60),
];

function mutateText(text: string, other: string, random: Random): string {
  for (let n = 1 + random.below(4); n > 0; n--) {
    const at = random.below(text.length + 1);
    const end = at + random.below(6);
    const piece = random.pick([
      random.pick(TOKENS),
      '',
      other.slice(random.below(other.length)),
      text.slice(at, at + 9).repeat(2),
    ]);
    text = text.slice(0, at) + piece + text.slice(random.oneIn(2) ? at : end);
  }
  return text.slice(0, 5000);
}

const JSON_VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e300,
  2 ** 53,
  '',
  'x',
  [],
  {},
  [null],
  [[]],
  'sha256:',
  `sha256:${HEX}`,
  `sha512:${HEX}${HEX}`,
  'linux',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.layer.v1.tar+encrypted',
  JSON.parse(DESCRIPTOR),
];
const JSON_KEYS = [
  'mediaType',
  'digest',
  'size',
  'config',
  'layers',
  'manifests',
  'platform',
  'schemaVersion',
  '__proto__',
  'urls',
  'rootfs',
  'diff_ids',
  'os',
  'artifactType',
  'annotations',
  'data',
  'fsLayers',
];

/** Another value, a key more or a key less, somewhere in the document. */
function mutateJson(text: string, random: Random): string {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return mutateText(text, text, random);
  }
  for (let n = 1 + random.below(3); n > 0; n--) document = changeValue(document, random);
  return JSON.stringify(document) ?? '';
}

function changeValue(value: unknown, random: Random): unknown {
  if (typeof value !== 'object' || value === null || random.oneIn(8)) return random.pick(JSON_VALUES);
  const isList = Array.isArray(value);
  const entries: [string, unknown][] = Object.entries(value);
  if (entries.length > 0 && !random.oneIn(3)) {
    const chosen = random.pick(entries);
    chosen[1] = changeValue(chosen[1], random);
  } else if (entries.length > 0 && random.oneIn(2)) {
    entries.splice(random.below(entries.length), 1);
  } else {
    entries.push([random.pick(JSON_KEYS), random.pick(JSON_VALUES)]);
  }
  return isList ? entries.map(([, item]) => item) : Object.fromEntries(entries);
}
