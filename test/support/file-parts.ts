import type { ReadRange } from '../../src/read/reader.js';
import type { FilePart, Nodes } from '../../src/read/stream-files.js';
import { extentsOf } from '../../src/tree/entry.js';
import type { Node } from '../../src/tree/node.js';

/** A reader of many files out of one that reads single ones, holes told as such. */
export function readsFiles(reader: { read(node: Node, range: ReadRange): AsyncIterable<Uint8Array> }) {
  async function* parts(nodes: Nodes): AsyncGenerator<FilePart> {
    for await (const node of nodes) {
      const nothing = { node, bytes: new Uint8Array(0), hold: () => () => {}, zeros: 0, last: false };
      let at = 0;
      for (const { logical, length } of extentsOf(node.entry)) {
        if (logical > at) yield { ...nothing, zeros: logical - at };
        for await (const bytes of reader.read(node, { offset: logical, length })) yield { ...nothing, bytes };
        at = logical + length;
      }
      yield { ...nothing, zeros: node.entry.size - at, last: true };
    }
  }
  return { readFiles: async (nodes: Nodes) => parts(nodes) };
}
