import { ClipError, EXIT } from '../errors.js';

/**
 * The first Ctrl-C, SIGTERM or SIGHUP aborts: the command takes down what is half-written and ends with 130 (143, 129). The
 * second ends the process at once.
 */
export interface Interrupts {
  signal: AbortSignal;
  /** The status to end with, once a signal has come. */
  status(): number | undefined;
}

const STATUSES = { SIGINT: EXIT.interrupted, SIGTERM: 143, SIGHUP: 129 } as const;

export function watchSignals(): Interrupts {
  const controller = new AbortController();
  let status: number | undefined;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (status !== undefined) process.exit(STATUSES[name]);
      status = STATUSES[name];
      controller.abort(new ClipError('INTERRUPTED', `interrupted by ${name}`));
    });
  }
  return { signal: controller.signal, status: () => status };
}
