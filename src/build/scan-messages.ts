import type { SentError } from '../sent-error.js';
import type { WasmModule } from '../wasm.js';
import type { LayerJob } from './layer-scan.js';

export interface ScanThreadData {
  /** The decoder's module. */
  core: WasmModule;
}

/** To a scan thread. Chunks are transferred, not copied; `again`: the chunk's memory is wanted back. */
export type ToScan =
  | { type: 'begin'; job: LayerJob }
  | { type: 'chunk'; bytes: Uint8Array<ArrayBuffer>; again: boolean }
  | { type: 'end' };

/** From a scan thread: a chunk was consumed (and its memory comes back, to be filled again); the layer is done; it failed. */
export type FromScan =
  | { type: 'taken'; bytes: Uint8Array<ArrayBuffer> | undefined }
  | { type: 'done'; section: Uint8Array; uncompressedSize: number }
  | { type: 'failed'; error: SentError };
