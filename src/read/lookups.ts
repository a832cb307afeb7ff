import type { Outcome } from '../cache/tiered.js';
import type { Observer } from '../observer.js';
import type { SpanUnit } from './units.js';

/** Counts what one read looks up: `lookups = hits + misses`, one per unit per read. */
export interface Lookups {
  note(unit: SpanUnit, outcome: Outcome, coalesced: boolean): void;
  /** The read began to decode a layer itself. */
  began(): void;
  /** The read is over. */
  end(): void;
}

/** Under `span` and `auto` the unit is the span. */
export function spanLookups(observer: Observer, layer: string): Lookups {
  return {
    note(unit, outcome, coalesced) {
      observer.emit({ type: 'lookup', unit: 'span', outcome, coalesced, layer, key: unit.key });
    },
    began() {},
    end() {},
  };
}

const DEPTH: Record<Outcome, number> = { memory: 0, disk: 1, remote: 2, miss: 3 };

/**
 * Under `layer` the unit is the layer: a miss for the read that decodes it, a memory hit for those that wait for that, else a hit of
 * the lowest tier that one of the spans came from.
 */
export function layerLookups(observer: Observer, layer: string): Lookups {
  let lowest: Outcome | undefined;
  let waited = false;
  let decoded = false;
  return {
    note(_unit, outcome, coalesced) {
      waited ||= coalesced || outcome === 'miss';
      if (lowest === undefined || DEPTH[outcome] > DEPTH[lowest]) lowest = outcome;
    },
    began() {
      decoded = true;
    },
    end() {
      if (lowest === undefined) return;
      const coalesced = waited && !decoded;
      const outcome = decoded ? 'miss' : coalesced ? 'memory' : lowest;
      observer.emit({ type: 'lookup', unit: 'layer', outcome, coalesced, layer, key: layer });
    },
  };
}
