import {
  DEFAULT_DISK_CACHE,
  DEFAULT_MEMORY_CACHE,
  DEFAULT_REMOTE_TIMEOUT,
  DEFAULT_REMOTE_TTL,
} from '../build/options.js';
import { DEFAULT_CONNECTION } from '../http/options.js';
import { choice, count, type Flag, place, text, toggle, type Values } from './flags.js';
import { formatSize, parseDuration, parseSize } from './units.js';

/** Sizes as `formatSize` shows them, without the space that a shell would split at. */
function shownSize(bytes: number): string {
  return formatSize(bytes).replace('.0 ', ' ').replace(' ', '');
}

export function size<D extends number | undefined>(about: {
  summary: string;
  fallback: D;
  min?: number;
  max?: number;
}): Flag<number | D> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER, ...rest } = about;
  const range = max === Number.MAX_SAFE_INTEGER ? '' : ` from ${shownSize(min)} to ${shownSize(max)}`;
  return {
    ...rest,
    value: 'SIZE',
    expects: `a size${range} such as 512K, 64MiB or 1.5G`,
    parse: (given) => {
      const bytes = parseSize(given);
      return bytes !== undefined && bytes >= min && bytes <= max ? bytes : undefined;
    },
    ...(rest.fallback === undefined ? {} : { shown: shownSize(rest.fallback) }),
  };
}

function shownDuration(milliseconds: number): string {
  return milliseconds % 3_600_000 === 0 ? `${milliseconds / 3_600_000}h` : `${milliseconds / 1000}s`;
}

function duration(summary: string, fallback: number): Flag<number> {
  return {
    summary,
    value: 'TIME',
    expects: 'a time from 1ms to 596h such as 500ms, 5s or 2m',
    parse: parseDuration,
    fallback,
    shown: shownDuration(fallback),
  };
}

const indexChoice: Flag<'auto' | 'local' | 'build' | `sha256:${string}`> = {
  summary:
    'which index to trust: auto finds or builds one, local takes none from a registry, build builds anew, a digest pins one',
  value: 'auto|local|build|DIGEST',
  expects: 'auto, local, build or sha256: and 64 hex digits',
  parse: (given) => {
    if (given === 'auto' || given === 'local' || given === 'build') return given;
    return /^sha256:[0-9a-f]{64}$/.test(given) ? (given as `sha256:${string}`) : undefined;
  },
  fallback: 'auto',
  shown: 'auto',
};

const mirrors: Flag<string[]> = {
  summary: 'ask this registry first for images of Docker Hub, or of REGISTRY; repeatable, or with commas',
  value: '[REGISTRY=]URL',
  expects: 'the address of a registry, such as https://mirror.example or ghcr.io=https://mirror.example/ghcr',
  parse: (given) => {
    const all = given.split(',').map((one) => one.trim());
    return all.every((one) => /^\S+$/.test(one)) ? all : undefined;
  },
  fallback: [],
  repeat: true,
};

/** The flags that every command takes (design, section 7). */
export const EVERYWHERE = {
  cacheDir: place({
    summary: 'folder of the disk cache and of the indexes that clip builds',
    value: 'DIR',
    shown: '$XDG_CACHE_HOME/clip or ~/.cache/clip',
  }),
  noCache: toggle({ summary: 'use no disk and no remote cache (indexes are still kept)' }),
  memoryCache: size({
    summary: 'most that the memory cache holds; 0 turns it off',
    fallback: DEFAULT_MEMORY_CACHE,
  }),
  diskCache: size({
    summary: 'most that the disk cache holds; 0 turns it off',
    fallback: DEFAULT_DISK_CACHE,
  }),
  remoteCache: text({
    summary: 'cache that workers share: redis://, rediss://, s3:// or http(s)://; see docs/cache.md',
    value: 'URL',
    fallback: undefined,
    shown: 'none',
  }),
  remoteTimeout: duration('longest wait of a read for the remote cache', DEFAULT_REMOTE_TIMEOUT),
  remoteTtl: duration('how long Redis keeps an entry of the remote cache', DEFAULT_REMOTE_TTL),
  strategy: choice({
    summary: 'what is inflated: single spans, whole layers, or spans until a layer pays',
    choices: ['span', 'layer', 'auto'],
    fallback: 'auto',
  }),
  platform: text({
    summary: 'platform to take from a multi-platform image',
    value: 'OS/ARCH[/VARIANT]',
    fallback: undefined,
    shown: "linux and this machine's architecture",
    expects: 'a platform such as linux/amd64 or linux/arm/v7',
    check: (given) => /^[a-z0-9_.-]+(\/[a-z0-9_.-]+){1,2}$/i.test(given),
  }),
  index: indexChoice,
  source: text({
    summary: 'read layers from this image instead of the place that the index names',
    value: 'IMAGE',
    fallback: undefined,
  }),
  offline: toggle({ summary: 'no network: caches, indexes and images on this machine only' }),
  plainHttp: toggle({ summary: 'speak HTTP to the registry (loopback registries always are)' }),
  insecure: toggle({ summary: 'do not verify TLS certificates' }),
  keepToken: toggle({
    summary: 'keep tokens of registries for the next process, in a runtime folder that only you can read',
  }),
  mirror: mirrors,
  connectTimeout: duration('longest wait for a connection', DEFAULT_CONNECTION.connectTimeout),
  headersTimeout: duration("longest wait for an answer's headers", DEFAULT_CONNECTION.headersTimeout),
  idleTimeout: duration("longest pause inside an answer's body", DEFAULT_CONNECTION.idleTimeout),
  tries: count({
    summary: 'attempts in all for a request that is safe to repeat',
    fallback: DEFAULT_CONNECTION.tries,
    min: 1,
    max: 100,
  }),
  stats: choice({
    summary: 'receipt of what the reads cost, as the last line on stderr',
    choices: ['text', 'json', 'none'],
    fallback: undefined,
    shown: 'text for extract, bench and prefetch, and on a terminal for cat and export; else none',
  }),
  metrics: place({
    summary: 'write counters and histograms there at the end, in the text format of Prometheus',
    value: 'FILE',
  }),
  logLevel: choice({
    summary: 'how much is logged on stderr; debug adds stacks to errors',
    choices: ['error', 'warn', 'info', 'debug'],
    fallback: 'warn',
  }),
  logFormat: choice({ summary: 'form of log lines', choices: ['text', 'json'], fallback: 'text' }),
  quiet: toggle({
    summary: 'no progress, no warnings and no receipt (unless --stats asks for one); errors remain',
    short: 'q',
  }),
} as const;

export type Everywhere = Values<typeof EVERYWHERE>;
