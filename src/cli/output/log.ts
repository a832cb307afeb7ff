/**
 * The log: a view of the observer's events under the names that operators of lazy-reading fleets search for (design,
 * section 7). Nothing here is on the hot path unless a level asks for it.
 */

import { escapeText } from '../../escape.js';
import type { ClipEvent, Observer } from '../../observer.js';

export const LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type Level = (typeof LEVELS)[number];
export type Fields = Record<string, string | number | boolean | undefined>;

export interface LogOptions {
  level: Level;
  format: 'text' | 'json';
  /** Gets whole lines. */
  write(line: string): void;
  /** Now, for the time of a line; tests hand in their own. */
  clock?: () => Date;
}

/** An observer that writes log lines of the given level and above it. */
export function createLog(options: LogOptions): Observer {
  const most = LEVELS.indexOf(options.level);
  const clock = options.clock ?? (() => new Date());
  const accesses = new Map<string, number>();
  let inflateSeconds = 0;

  function log(level: Level, message: string, fields: Fields): void {
    if (LEVELS.indexOf(level) > most) return;
    const time = clock().toISOString();
    options.write(
      options.format === 'json'
        ? `${JSON.stringify({ type: 'log', time, level, message, ...fields })}\n`
        : `${time} ${level.toUpperCase().padEnd(5)} ${message}${textFields(fields)}\n`,
    );
  }

  /** A warning is for people: as text it looks like an error, without a time. */
  function warn({ code, message, hint }: Extract<ClipEvent, { type: 'warning' }>): void {
    if (options.format === 'json') {
      log('warn', message, { code, hint });
      return;
    }
    if (most < LEVELS.indexOf('warn')) return;
    const line = `clip: warning: ${escapeText(message)} (${code})\n`;
    options.write(hint === undefined ? line : `${line}hint: ${escapeText(hint)}\n`);
  }

  function lookup(event: Extract<ClipEvent, { type: 'lookup' }>): void {
    const fields = unitFields(event);
    const id = `${event.unit} ${event.key}`;
    const access_count = (accesses.get(id) ?? 0) + 1;
    accesses.set(id, access_count);
    const name = event.unit === 'layer' ? 'Layer' : 'Span';
    log('debug', `${name} access count`, { ...fields, access_count });
    if (event.outcome === 'miss') return;
    const coalesced = event.coalesced || undefined;
    log('debug', `decompressed ${event.unit} cache hit`, { ...fields, tier: event.outcome, coalesced });
  }

  function inflated(event: Extract<ClipEvent, { type: 'inflate' }>): void {
    const duration_seconds = rounded(event.seconds);
    inflateSeconds += event.seconds;
    log('info', `${event.unit} decompression complete`, {
      ...unitFields(event),
      decompressed_bytes: event.bytes,
      duration_seconds,
    });
    log('debug', 'Inflate CPU recorded', { duration_seconds, total_seconds: rounded(inflateSeconds) });
  }

  return {
    emit(event) {
      if (event.type === 'warning') {
        return warn(event);
      }
      if (most < 2) return;
      switch (event.type) {
        case 'inflate-start':
          return log('info', `decompressing ${event.unit} (first access)`, unitFields(event));
        case 'inflate':
          return inflated(event);
        case 'layer-cached':
          return log('info', 'layer decompressed and cached', {
            digest: event.layer,
            decompressed_bytes: event.bytes,
          });
        case 'corrupt':
          return log('info', 'corrupt cache entry dropped', { tier: event.tier, key: event.key });
        case 'prefetched':
          return log('debug', 'prefetched', { units: event.units, bytes: event.bytes });
        case 'evicted':
          return log('debug', 'cache entry evicted', {
            tier: event.tier,
            key: event.key,
            bytes: event.bytes,
          });
        case 'lookup':
          return most < 3 ? undefined : lookup(event);
        case 'request':
          return log('debug', 'request', { method: event.method, url: event.url });
        case 'remote':
          return log('debug', `remote cache ${event.op}`, {
            outcome: event.outcome,
            bytes: event.bytes,
            duration_seconds: rounded(event.seconds),
            error: event.error,
          });
        case 'waited':
          return log('debug', 'waited for another process', {
            key: event.key,
            how: event.how,
            duration_seconds: rounded(event.seconds),
          });
        case 'debug':
          return log('debug', event.message, event.fields ?? {});
        default:
          return;
      }
    },
  };
}

/** A layer is its blob's digest; a span is the digest of its bytes, and says which layer it lies in. */
function unitFields(event: { unit: 'span' | 'layer'; layer: string; key: string }): Fields {
  return event.unit === 'layer'
    ? { digest: event.layer }
    : { digest: `sha256:${event.key}`, layer: event.layer };
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1e6) / 1e6;
}

/** ` key=value …`; a value with spaces or quotes is quoted as JSON. */
function textFields(fields: Fields): string {
  let text = '';
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const plain = escapeText(String(value));
    text += ` ${key}=${/[\s"=]/.test(plain) ? JSON.stringify(plain) : plain}`;
  }
  return text;
}
