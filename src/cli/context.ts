import type { OpenedImage } from '../build/opened-image.js';
import type { OpenOptions } from '../build/options.js';
import type { Observer } from '../observer.js';
import type { Everywhere } from './everywhere.js';
import type { Stdout } from './output/stdout.js';
import type { Style } from './output/style.js';
import type { Terminal } from './output/terminal.js';

/** What a command works with; made anew for each run. */
export interface Context {
  settings: Everywhere;
  stdout: Stdout;
  terminal: Terminal;
  /** Looks for text on stdout. */
  style: Style;
  /** Aborted by Ctrl-C and SIGTERM; the reason is the ClipError to end with. */
  signal: AbortSignal;
  /** Sees everything: log, progress and, through `openImage`, the receipt. */
  observer: Observer;
  /** The options for opening an image, with the receipt's observers in place. */
  openOptions: OpenOptions;
  /** Opens a target; it is closed, and named in the receipt, when the command ends. */
  open(target: string): Promise<OpenedImage>;
  /** Writes to stderr, above progress bars. */
  tell(text: string): void;
  /**
   * Reports a failure after which the command goes on; the first one's status is the command's. Rethrows what must end it:
   * Ctrl-C and a closed stdout.
   */
  softError(error: unknown): void;
}
