/** The library's public face. */
export type { ByteString } from './bytes.js';
export { byteStringToBytes, byteStringToText, bytesToByteString, textToByteString } from './bytes.js';
export { ClipError, type ErrorCode, isClipError } from './errors.js';
export type { ImageDescription, ImageIndex } from './format/image-index.js';
export type { LayerInfo } from './format/model.js';
export { type ClipEvent, fanOut, type Observer, silentObserver, type Tier } from './observer.js';
export type { ImageFileHandle } from './read/file-handle.js';
export { createImageFs, type ImageFs, type ReaddirOptions, type ReadFileOptions } from './read/fs.js';
export { FsError, type FsErrorCode } from './read/fs-errors.js';
export type { PathLike } from './read/fs-paths.js';
export type { ReadStreamOptions } from './read/read-stream.js';
export type { ImageReader, ReadRange } from './read/reader.js';
export { createReceipt, type Receipt, type ReceiptFields } from './read/receipt.js';
export { ImageDirent, ImageStats } from './read/stats.js';
export type { Strategy } from './read/strategy.js';
export { type Entry, type EntryType, type Extent, extentsOf } from './tree/entry.js';
export type { Node } from './tree/node.js';
export { resolvePath } from './tree/resolve.js';
