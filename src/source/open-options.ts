import type { ConnectionOptions } from '../http/options.js';
import type { Observer } from '../observer.js';
import type { SpoolPlace } from './archive/spool.js';

export interface OpenSourceOptions {
  connection: ConnectionOptions;
  /** No network: images in registries cannot be opened, nor layers that are elsewhere read. */
  offline: boolean;
  /** Where copies are kept of what cannot be read in the middle; none: such a source is USAGE. */
  spool?: SpoolPlace | undefined;
  /** Standard input, for `-`; default the process's. */
  input?: () => AsyncIterable<Uint8Array>;
  /** See and stop what has to be done before the source can be read. */
  observer?: Observer;
  signal?: AbortSignal;
}
