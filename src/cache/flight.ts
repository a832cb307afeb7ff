/**
 * Single flight: one load in progress that many readers wait for. A reader that gives up leaves the others undisturbed; when nobody
 * is left to wait, the load is told to stop. (What readers hold of flights: batch.ts; between processes: single-flight.ts.)
 */

/** One call to the origin for one or more keys, with those of its flights that are still in the air. */
export interface Load {
  readonly controller: AbortController;
  readonly flights: Set<Flight>;
  /** Keys that it began with. */
  keys: number;
}

export interface Flight {
  readonly key: string;
  readonly length: number;
  readonly load: Load;
  readonly promise: Promise<Uint8Array>;
  /** Set when the flight has landed, so that a reader need not await. */
  value: Uint8Array | undefined;
  /** Readers that wait. */
  interest: number;
  /** Whether any of them wants the value kept in the memory tier. */
  keepInMemory: boolean;
  /** Whether more than one of them, or a tier, has the value. */
  shared: boolean;
  resolve(value: Uint8Array): void;
  reject(error: unknown): void;
}

export interface FlightTable {
  get(key: string, length: number): Flight | undefined;
  start(key: string, length: number, load: Load): Flight;
  /** Ends a flight with its value, if there is one. */
  land(key: string, value: Uint8Array): void;
  fail(flight: Flight, error: unknown): void;
  /** A reader no longer waits. */
  leave(flight: Flight): void;
}

export function createFlightTable(): FlightTable {
  const flights = new Map<string, Flight>();

  function end(flight: Flight): void {
    if (flights.get(flight.key) === flight) flights.delete(flight.key);
    flight.load.flights.delete(flight);
  }

  return {
    get(key, length) {
      const flight = flights.get(key);
      return flight?.length === length ? flight : undefined;
    },
    start(key, length, load) {
      let resolve: (value: Uint8Array) => void = () => {};
      let reject: (error: unknown) => void = () => {};
      const promise = new Promise<Uint8Array>((yes, no) => {
        resolve = yes;
        reject = no;
      });
      // Nobody may be waiting any more when it fails.
      promise.catch(() => {});
      const flight: Flight = {
        key,
        length,
        load,
        promise,
        value: undefined,
        interest: 0,
        keepInMemory: false,
        shared: false,
        resolve,
        reject,
      };
      flights.set(key, flight);
      load.flights.add(flight);
      return flight;
    },
    land(key, value) {
      const flight = flights.get(key);
      if (flight === undefined || flight.length !== value.byteLength) return;
      flight.value = value;
      end(flight);
      flight.resolve(value);
    },
    fail(flight, error) {
      end(flight);
      flight.reject(error);
    },
    leave(flight) {
      flight.interest--;
      for (const other of flight.load.flights) if (other.interest > 0) return;
      if (flight.load.flights.size === 0) return;
      // The next reader of these keys starts a load of its own and does not join one that was told to stop.
      for (const other of flight.load.flights) {
        if (flights.get(other.key) === other) flights.delete(other.key);
      }
      flight.load.controller.abort();
    },
  };
}
