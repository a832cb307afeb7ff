import type { Buffers } from '../buffers.js';
import type { Decoders, OpenThreads } from './decoders.js';

/** The reader's threads: none until what is wanted at one time is worth them, then the same for all. */
export interface ThreadUse {
  /**
   * A load that wants so many uncompressed bytes begins; the result is called when it ends. One large load and a hundred small ones at
   * once are the same to it.
   */
  enter(bytes: number): () => void;
  /** The threads, where they were started and take work by now. */
  ready(): OpenThreads | undefined;
  close(): Promise<void>;
}

export function createThreadUse(decoders: () => Promise<Decoders>, buffers: Buffers): ThreadUse {
  /** Uncompressed bytes of the loads under way. */
  let wanted = 0;
  let opening: Promise<void> | undefined;
  let opened: OpenThreads | undefined;
  let closed = false;

  async function openIfWorth(): Promise<void> {
    const { threads } = await decoders();
    if (closed || opening || !threads || wanted < threads.worthFrom) return;
    // Work that no thread takes is done without them.
    opening = threads.open(buffers).then(
      (open) => {
        opened = open;
      },
      () => {},
    );
    await opening;
  }

  return {
    enter(bytes) {
      wanted += bytes;
      // What keeps the decoders from being loaded is told to who inflates.
      if (!opening) openIfWorth().catch(() => {});
      return () => {
        wanted -= bytes;
      };
    },
    ready: () => (opened?.ready() ? opened : undefined),
    async close() {
      closed = true;
      await opening;
      await opened?.close();
    },
  };
}
