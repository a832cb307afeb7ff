/**
 * What the rooms tell about their work. An `Observer` is handed in; the receipt, the log, the metrics and the progress
 * bar are four views of it (design, section 3). Emitting must be cheap and must never throw.
 */

export type Tier = 'memory' | 'disk' | 'remote';

export type ClipEvent =
  /** One request was sent to the origin (tokens, redirects and retries included). `url` is already redacted. */
  | { type: 'request'; method: string; url: string }
  /** Body bytes came from the origin (bytes read, where the origin is a file). */
  | { type: 'fetched'; bytes: number }
  /** A user's read is complete. */
  | { type: 'read'; bytes: number }
  /** A unit was demanded by a read and answered by a tier, or went to the origin (`miss`). */
  | {
      type: 'lookup';
      unit: 'span' | 'layer';
      outcome: Tier | 'miss';
      coalesced: boolean;
      layer: string;
      key: string;
    }
  | { type: 'inflate-start'; unit: 'span' | 'layer'; layer: string; key: string }
  /** A unit was decoded. Plain tar spans are not inflated and emit nothing. `seconds` is decoder time. */
  | { type: 'inflate'; unit: 'span' | 'layer'; layer: string; key: string; bytes: number; seconds: number }
  /** A layer's decoded spans were all put into the tiers. */
  | { type: 'layer-cached'; layer: string; bytes: number }
  | { type: 'prefetched'; units: number; bytes: number }
  | { type: 'corrupt'; tier: Tier; key: string }
  | { type: 'evicted'; tier: Tier; key: string; bytes: number }
  /** An operation on the shared cache is over. `bytes` were moved; `error` says why it failed; a put may be dropped unsent. */
  | {
      type: 'remote';
      op: 'get' | 'put';
      outcome: 'hit' | 'miss' | 'stored' | 'dropped' | 'failed';
      bytes: number;
      seconds: number;
      error?: string;
    }
  /** A wait for another process that was fetching the same: it did, it went away, or it took too long. */
  | { type: 'waited'; key: string; how: 'answered' | 'taken' | 'late'; seconds: number }
  /** A user should know, once; the text is already escaped and redacted. */
  | { type: 'warning'; code: string; message: string; hint?: string }
  /** Progress of long work; `total` may be unknown. */
  | {
      type: 'progress';
      task: string;
      done: number;
      total: number | undefined;
      unit: 'bytes' | 'files' | 'layers';
    }
  | { type: 'debug'; message: string; fields?: Record<string, string | number | boolean> };

export interface Observer {
  emit(event: ClipEvent): void;
}

export const silentObserver: Observer = { emit() {} };

/** Sends each event to several observers, in order. */
export function fanOut(...observers: Observer[]): Observer {
  return {
    emit(event) {
      for (const observer of observers) observer.emit(event);
    },
  };
}
