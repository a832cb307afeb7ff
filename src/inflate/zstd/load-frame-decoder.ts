import type { FrameDecoder } from './frame-decoder.js';

/** The decoder for the running Node; what it needs is loaded at the first call. */
export async function loadFrameDecoder(): Promise<FrameDecoder> {
  const { nativeFrameDecoder } = await import('./native-decoder.js');
  const native = nativeFrameDecoder();
  if (native !== undefined) return native;
  const { wasmFrameDecoder } = await import('./wasm-decoder.js');
  return wasmFrameDecoder();
}
