import type { ClipEvent, Observer } from '../observer.js';
import { createRegistry } from './prometheus.js';

/** The events as counters and histograms; the names are documented in docs/cache.md. */
export interface Metrics extends Observer {
  /** Sees the building of an index. */
  readonly scan: Observer;
  /** A command met an error. */
  error(code: string): void;
  /** Prometheus' text format. */
  text(): string;
}

/** A span of 1 MiB takes 2 to 5 ms; a layer seconds. */
const INFLATE_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const REMOTE_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createMetrics(): Metrics {
  const registry = createRegistry();
  const { counter, histogram } = registry;
  const reads = counter('clip_reads_total', 'Reads that were asked for.');
  const readBytes = counter('clip_read_bytes_total', 'Bytes that reads returned.');
  const lookups = counter(
    'clip_lookups_total',
    'Units that reads demanded, by the tier that answered, or miss.',
    true,
  );
  const accesses = counter('clip_layer_accesses_total', 'Units that reads demanded, by layer.', true);
  const inflates = counter('clip_inflates_total', 'Units that were decoded to serve reads.', true);
  const inflated = counter('clip_inflated_bytes_total', 'Bytes that decoding yielded.', true);
  const seconds = histogram('clip_inflate_seconds', 'Decoder time of a unit.', INFLATE_BUCKETS);
  const requests = counter('clip_requests_total', 'Requests to the origin.');
  const fetched = counter('clip_fetched_bytes_total', 'Body bytes from the origin.');
  const prefetched = counter('clip_prefetched_units_total', 'Units that were fetched ahead of demand.');
  const waits = counter(
    'clip_single_flight_waits_total',
    'Waits for a load that another reader of the process or another process of the machine had begun.',
    true,
  );
  const evictions = counter('clip_evictions_total', 'Entries that were evicted, by tier.', true);
  const evictedBytes = counter('clip_evicted_bytes_total', 'Bytes of evicted entries, by tier.', true);
  const corrupt = counter('clip_corrupt_entries_total', 'Entries that did not have their digest.', true);
  const remote = counter('clip_remote_operations_total', 'Operations on the remote cache.', true);
  const remoteBytes = counter('clip_remote_bytes_total', 'Bytes from and to the remote cache.', true);
  const remoteSeconds = histogram(
    'clip_remote_seconds',
    'Time of an operation that was sent.',
    REMOTE_BUCKETS,
  );
  const warnings = counter('clip_warnings_total', 'Warnings, by code.', true);
  const errors = counter('clip_errors_total', 'Errors that the command reported, by code.', true);
  const scanInflates = counter('clip_scan_inflates_total', 'Layers that were inflated to build an index.');
  const scanBytes = counter('clip_scan_inflated_bytes_total', 'Bytes that building an index inflated.');
  const scanRequests = counter('clip_scan_requests_total', 'Requests to the origin to build an index.');
  const scanFetched = counter('clip_scan_fetched_bytes_total', 'Body bytes fetched to build an index.');

  function emit(event: ClipEvent): void {
    switch (event.type) {
      case 'read':
        reads.add(1);
        readBytes.add(event.bytes);
        break;
      case 'lookup':
        lookups.add(1, { unit: event.unit, outcome: event.outcome });
        accesses.add(1, { layer: event.layer });
        if (event.coalesced) waits.add(1, { scope: 'process', how: 'answered' });
        break;
      case 'inflate':
        inflates.add(1, { unit: event.unit });
        inflated.add(event.bytes, { unit: event.unit });
        seconds.observe(event.seconds, { unit: event.unit });
        break;
      case 'request':
        requests.add(1);
        break;
      case 'fetched':
        fetched.add(event.bytes);
        break;
      case 'prefetched':
        prefetched.add(event.units);
        break;
      case 'waited':
        waits.add(1, { scope: 'machine', how: event.how });
        break;
      case 'evicted':
        evictions.add(1, { tier: event.tier });
        evictedBytes.add(event.bytes, { tier: event.tier });
        break;
      case 'corrupt':
        corrupt.add(1, { tier: event.tier });
        break;
      case 'remote':
        remote.add(1, { op: event.op, outcome: event.outcome });
        remoteBytes.add(event.bytes, { op: event.op });
        if (event.outcome !== 'dropped') remoteSeconds.observe(event.seconds, { op: event.op });
        break;
      case 'warning':
        warnings.add(1, { code: event.code });
        break;
      default:
    }
  }

  function emitScan(event: ClipEvent): void {
    if (event.type === 'inflate') {
      scanInflates.add(1);
      scanBytes.add(event.bytes);
    } else if (event.type === 'request') scanRequests.add(1);
    else if (event.type === 'fetched') scanFetched.add(event.bytes);
    else if (event.type === 'warning') emit(event);
  }

  return {
    emit,
    scan: { emit: emitScan },
    error: (code) => errors.add(1, { code }),
    text: registry.text,
  };
}
