import { ClipError } from '../errors.js';
import { detectEncoding, foreignCompression, MAGIC_LENGTH } from './detect.js';
import { createGzipScanner } from './gzip/scan.js';
import { createPlainScanner } from './plain.js';
import type { LayerScanner, ScanOptions, ScanSink } from './scanner.js';

/** A layer in another compression is no tar; which one is what helps. */
function refuseForeign(head: Uint8Array): void {
  const foreign = foreignCompression(head);
  if (!foreign) return;
  throw new ClipError('UNSUPPORTED', `a layer is compressed with ${foreign.name}`, {
    hint: 'no container engine takes such layers; build the image anew with gzip, zstd or plain ones',
  });
}

/**
 * Scans a layer of any encoding; its first bytes decide which (`detectEncoding`). An empty stream is an empty plain layer.
 * What only zstd needs is loaded when a zstd layer is met.
 */
export function createLayerScanner(sink: ScanSink, options: ScanOptions): LayerScanner {
  let scanner: LayerScanner | undefined;
  let head: Uint8Array = new Uint8Array(0);

  /** Chooses the scanner by `head` and hands it over; undefined while more is needed. */
  function begin(isWhole: boolean): void | Promise<void> {
    switch (detectEncoding(head.subarray(0, MAGIC_LENGTH), isWhole)) {
      case 'gzip':
        return start(createGzipScanner(sink, options));
      case 'plain':
        refuseForeign(head);
        return start(createPlainScanner(sink, options));
      case 'zstd':
        return import('./zstd/scan.js').then(({ createZstdScanner }) =>
          start(createZstdScanner(sink, options)),
        );
    }
  }

  function start(chosen: LayerScanner): void | Promise<void> {
    scanner = chosen;
    return chosen.push(head);
  }

  return {
    push(chunk) {
      if (scanner !== undefined) return scanner.push(chunk);
      head = Buffer.concat([head, chunk]);
      return begin(false);
    },
    end() {
      if (scanner !== undefined) return scanner.end();
      const begun = begin(true);
      return begun === undefined ? scanner!.end() : begun.then(() => scanner!.end());
    },
  };
}
