/** What an index file begins with (docs/format.md, "Header"). In a file of its own: to tell one from others takes nothing else of this room. */
export const FILE_MAGIC = Buffer.from('\x89CLIP\r\n\x1a', 'latin1');
