import { now } from '../clock.js';
import type { ClipEvent, Observer, Tier } from '../observer.js';

/** What reads cost, in the fields and the order of the contract (design, section 2; docs/cli.md). */
export interface ReceiptFields {
  type: 'receipt';
  /** Reads that a user asked for, and the bytes they got. */
  reads: number;
  bytesRead: number;
  /** Units demanded by reads; hits + misses. */
  lookups: number;
  hits: { memory: number; disk: number; remote: number };
  /** Those of the memory hits that waited for a load under way. */
  coalesced: number;
  misses: number;
  /** hits / lookups; null when there were none. */
  hitRate: number | null;
  inflates: number;
  inflatedBytes: number;
  inflateSeconds: number;
  prefetched: number;
  requests: number;
  fetchedBytes: number;
  /** Operations on the shared cache and the bytes they moved; errors are those that failed and puts that were dropped. */
  remote: { gets: number; puts: number; bytes: number; errors: number };
  corrupt: number;
  /** What an index cost that was built on the way. */
  scan: { inflates: number; bytes: number; requests: number; fetchedBytes: number };
  elapsedSeconds: number;
}

/** Two observers and the sums of what they saw. */
export interface Receipt extends Observer {
  /** Sees the building of an index. */
  readonly scan: Observer;
  toJSON(): ReceiptFields;
}

export function createReceipt(clock: () => number = now): Receipt {
  const started = clock();
  const hits: Record<Tier, number> = { memory: 0, disk: 0, remote: 0 };
  const remote = { gets: 0, puts: 0, bytes: 0, errors: 0 };
  const scan = { inflates: 0, bytes: 0, requests: 0, fetchedBytes: 0 };
  const sums = {
    reads: 0,
    bytesRead: 0,
    coalesced: 0,
    misses: 0,
    inflates: 0,
    inflatedBytes: 0,
    inflateSeconds: 0,
    prefetched: 0,
    requests: 0,
    fetchedBytes: 0,
    corrupt: 0,
  };

  function emit(event: ClipEvent): void {
    switch (event.type) {
      case 'read':
        sums.reads++;
        sums.bytesRead += event.bytes;
        break;
      case 'lookup':
        if (event.outcome === 'miss') sums.misses++;
        else hits[event.outcome]++;
        if (event.coalesced) sums.coalesced++;
        break;
      case 'inflate':
        sums.inflates++;
        sums.inflatedBytes += event.bytes;
        sums.inflateSeconds += event.seconds;
        break;
      case 'prefetched':
        sums.prefetched += event.units;
        break;
      case 'request':
        sums.requests++;
        break;
      case 'fetched':
        sums.fetchedBytes += event.bytes;
        break;
      case 'remote':
        if (event.op === 'get') remote.gets++;
        else if (event.outcome !== 'dropped') remote.puts++;
        remote.bytes += event.bytes;
        if (event.error !== undefined) remote.errors++;
        break;
      case 'corrupt':
        sums.corrupt++;
        break;
      default:
    }
  }

  function emitScan(event: ClipEvent): void {
    if (event.type === 'inflate') {
      scan.inflates++;
      scan.bytes += event.bytes;
    } else if (event.type === 'request') scan.requests++;
    else if (event.type === 'fetched') scan.fetchedBytes += event.bytes;
  }

  return {
    emit,
    scan: { emit: emitScan },
    toJSON() {
      const answered = hits.memory + hits.disk + hits.remote;
      const lookups = answered + sums.misses;
      return {
        type: 'receipt',
        reads: sums.reads,
        bytesRead: sums.bytesRead,
        lookups,
        hits: { ...hits },
        coalesced: sums.coalesced,
        misses: sums.misses,
        hitRate: lookups === 0 ? null : answered / lookups,
        inflates: sums.inflates,
        inflatedBytes: sums.inflatedBytes,
        inflateSeconds: sums.inflateSeconds,
        prefetched: sums.prefetched,
        requests: sums.requests,
        fetchedBytes: sums.fetchedBytes,
        remote: { ...remote },
        corrupt: sums.corrupt,
        scan: { ...scan },
        elapsedSeconds: (clock() - started) / 1000,
      };
    },
  };
}
