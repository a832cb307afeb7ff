/**
 * Byte strings: names in a tar are bytes, not text. Inside clip a name or path is a JavaScript string with one
 * character (U+0000–U+00FF) per byte. That keeps every name exactly, costs one byte a character in V8, and makes
 * `<` the byte order. Text enters and leaves only at the edges (command line, library face, JSON).
 */

declare const byteString: unique symbol;
export type ByteString = string & { readonly [byteString]: true };

export function bytesToByteString(bytes: Uint8Array): ByteString {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1') as ByteString;
}

export function byteStringToBytes(name: ByteString): Buffer {
  return Buffer.from(name, 'latin1');
}

/** The same string, but not as a view of a longer one, which it would keep in memory. */
export function detached(name: ByteString): ByteString {
  return Buffer.from(name, 'latin1').toString('latin1') as ByteString;
}

/** UTF-8 encodes text (a lone surrogate becomes U+FFFD, as everywhere in Node). */
export function textToByteString(text: string): ByteString {
  return Buffer.from(text, 'utf8').toString('latin1') as ByteString;
}

/** Decodes as UTF-8; bytes that are not UTF-8 become U+FFFD. For display use `escapeName` instead. */
export function byteStringToText(name: ByteString): string {
  return Buffer.from(name, 'latin1').toString('utf8');
}
