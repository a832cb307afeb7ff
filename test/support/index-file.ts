import { encodeImage } from '../../src/format/image-encoder.js';
import type { ImageIndex } from '../../src/format/image-index.js';
import type { Entry } from '../../src/tree/entry.js';
import type { MergedNode } from '../../src/tree/merged-node.js';
import type { Node } from '../../src/tree/node.js';
import { SPACING, type TestImage } from './index-arbitraries.js';

const MEDIA_TYPE = 'application/vnd.oci.image.layer.v1.tar+gzip';

export function encodeFile(image: TestImage, sourceHint = 'docker://example.org/a:b'): Buffer {
  return Buffer.concat(
    encodeImage({
      layers: image.layers.map(({ section }) => ({ section, mediaType: MEDIA_TYPE })),
      nodes: image.nodes,
      manifest: Buffer.from(JSON.stringify({ schemaVersion: 2 })),
      manifestMediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: Buffer.from(JSON.stringify({ os: 'linux', history: 'x'.repeat(200) })),
      platform: 'linux/amd64',
      spacing: SPACING,
      sourceHint: sourceHint || undefined,
    }),
  );
}

/** The node that an index must answer with. `number`: of the node among all. */
export function expectedNode(image: TestImage, node: MergedNode, number: number): Node {
  const data = node.target ?? node.ref;
  if (!data) {
    const nothing = '' as Node['path'];
    const entry: Entry = {
      path: node.path,
      type: 'directory',
      mode: 0o755,
      uid: 0,
      gid: 0,
      uname: nothing,
      gname: nothing,
      mtime: 0,
      mtimeNanos: 0,
      size: 0,
      link: nothing,
      devMajor: 0,
      devMinor: 0,
      xattrs: [],
      position: 0,
    };
    return { path: node.path, entry, layer: -1, nlink: 1, inode: `-1:${number}` };
  }
  return {
    path: node.path,
    entry: image.layers[data.layer]!.entries[data.entry]!,
    layer: data.layer,
    nlink: node.nlink,
    inode: `${data.layer}:${data.entry}`,
  };
}

/** Asks an index for everything that it holds. */
export async function readAll(index: ImageIndex) {
  const nodes: Node[] = [];
  for await (const batch of index.walk('' as Node['path'])) nodes.push(...batch);
  const layers = [];
  for (let layer = 0; layer < index.layers.length; layer++) {
    const spans = await index.spans(layer, 0, Number.MAX_SAFE_INTEGER);
    const contexts = [];
    for (const span of spans) contexts.push(await index.spanContext(layer, span));
    layers.push({ info: index.layers[layer]!, spans, contexts });
  }
  return { nodes, layers, description: await index.describe(), hint: index.sourceHint };
}
