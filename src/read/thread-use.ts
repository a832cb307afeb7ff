import type { Decoders, OpenThreads } from './decoders.js';

/** The reader's threads: none until a load is large enough, then the same for all. */
export interface ThreadUse {
  /** Threads for a load of so many uncompressed bytes; undefined when it goes without. */
  worth(bytes: number): Promise<OpenThreads | undefined>;
  close(): Promise<void>;
}

export function createThreadUse(decoders: () => Promise<Decoders>): ThreadUse {
  let opened: Promise<OpenThreads> | undefined;
  let closed = false;
  return {
    async worth(bytes) {
      const { threads } = await decoders();
      if (!opened && !closed && threads && bytes >= threads.worthFrom) opened = threads.open();
      return opened;
    },
    async close() {
      closed = true;
      await (await opened)?.close();
    },
  };
}
