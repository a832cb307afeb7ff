import type { ReceiptFields } from '../../read/receipt.js';
import { counted, formatSeconds, formatSize } from '../units.js';

/** The index that was read: where it came from, and its digest. */
export interface ReceiptIndex {
  origin: string;
  identity: string;
  /** `registry/repository@digest`, where it came from a registry. */
  artifact?: string;
}

/** One JSON line without its newline; the fields are documented in docs/cli.md. */
export function receiptJson(receipt: ReceiptFields, index: ReceiptIndex | undefined): string {
  return JSON.stringify({ ...receipt, index: index ?? null });
}

/** One line for people, the dearest first. */
export function receiptText(receipt: ReceiptFields, index: ReceiptIndex | undefined): string {
  const { scan } = receipt;
  const parts = [`${counted(receipt.reads, 'read')} (${formatSize(receipt.bytesRead)})`];
  parts.push(
    receipt.inflates === 0
      ? '0 inflates'
      : `${counted(receipt.inflates, 'inflate')} (${formatSize(receipt.inflatedBytes)} in ${formatSeconds(receipt.inflateSeconds)})`,
  );
  parts.push(`${counted(receipt.requests, 'request')} (${formatSize(receipt.fetchedBytes)})`);
  if (receipt.lookups > 0) {
    const hits = receipt.lookups - receipt.misses;
    parts.push(`${hits} of ${counted(receipt.lookups, 'lookup')} hit`);
  }
  if (receipt.prefetched > 0) parts.push(`${receipt.prefetched} prefetched`);
  if (receipt.corrupt > 0) parts.push(`${receipt.corrupt} corrupt and dropped`);
  if (scan.bytes > 0 || scan.requests > 0) {
    parts.push(`index: ${formatSize(scan.bytes)} inflated, ${formatSize(scan.fetchedBytes)} fetched`);
  }
  if (index) parts.push(`${index.origin} index ${index.identity.slice(0, 19)}${from(index)}`);
  parts.push(formatSeconds(receipt.elapsedSeconds));
  return `clip: ${parts.join(', ')}`;
}

/** Who pushed an index vouches for it: the receipt says where it was. */
function from({ artifact }: ReceiptIndex): string {
  return artifact === undefined ? '' : ` of ${artifact.slice(0, artifact.indexOf('@'))}`;
}
