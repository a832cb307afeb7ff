import type { EntryRef, MergedNode } from '../tree/merged-node.js';
import { encodeBytes } from './block-encoder.js';
import { ByteWriter } from './byte-writer.js';
import { check, misuse } from './corrupt.js';
import { sha256 } from './digest.js';
import { encodeFileHead, type SectionRecord } from './file-head.js';
import { writeImageFacts } from './image-info.js';
import { type LayerFacts, readLayerFacts } from './layer-info.js';
import { FORMAT_MINOR, MAX_DOCUMENT } from './limits.js';
import { type EntryFacts, encodeMerge } from './merge-encode.js';
import {
  encodeSection,
  PREAMBLE_BYTES,
  readPreamble,
  readSectionDirectory,
  SECTION_TYPE,
  type SectionHead,
  STREAM,
} from './section.js';
import { createEntryPaths } from './section-paths.js';

export interface ImageParts {
  /** Base first. Sections as `createLayerEncoder` or `ImageIndex.layerSection` gave them. */
  layers: readonly { section: Uint8Array; mediaType: string }[];
  /** The merged tree as `mergeLayers` gives it: sorted by comparePaths, the root '' first. */
  nodes: Iterable<MergedNode>;
  /** Bytes as the registry served them. */
  manifest: Uint8Array;
  manifestMediaType: string;
  config: Uint8Array;
  /** `os/architecture[/variant]`. */
  platform: string;
  /** Of every layer's section, bytes. */
  spacing: number;
  /** Where the image was read from, no secrets; not part of the index's identity. At most 4096 bytes of UTF-8. */
  sourceHint: string | undefined;
}

/**
 * The index file, as chunks to be written one after the other. The bytes, and with them the identity, are a function of the
 * arguments alone; the identity does not depend on `sourceHint`. Throws RangeError when the arguments contradict one another and
 * ClipError CORRUPT_INDEX when a section does not hold.
 */
export function encodeImage(parts: ImageParts): Uint8Array[] {
  check(parts.manifest.length <= MAX_DOCUMENT && parts.config.length <= MAX_DOCUMENT, 'manifest or config');
  const layers = parts.layers.map(({ section }, i) => readLayer(section, `layer ${i}`));
  const sections: { bytes: Uint8Array; head: SectionHead }[] = [];
  const numbers = new Map<string, number>();
  layers.forEach(({ facts, head }, i) => {
    check(facts.spacing === parts.spacing, `layer ${i} has spacing ${facts.spacing}`);
    const known = numbers.get(facts.digest);
    if (known !== undefined) {
      const { directoryDigest } = sections[known - 1]!.head;
      check(head.directoryDigest.equals(directoryDigest), `layer ${facts.digest} has two different sections`);
      return;
    }
    // The image's own section is number 0.
    numbers.set(facts.digest, sections.length + 1);
    sections.push({ bytes: parts.layers[i]!.section, head });
  });
  const ofSection = sections.map(({ bytes, head }) => createEntryPaths(bytes, head));
  const entryFacts: EntryFacts = ({ layer, entry }: EntryRef) => {
    const facts = layers[layer]?.facts;
    if (!(facts && entry >= 0 && entry < facts.entryCount))
      throw misuse(`no entry ${entry} in layer ${layer}`);
    return ofSection[numbers.get(facts.digest)! - 1]!(entry);
  };
  const { streams, nodeCount } = encodeMerge(parts.nodes, entryFacts);
  const info = new ByteWriter();
  writeImageFacts(info, {
    manifestDigest: `sha256:${sha256(parts.manifest).toString('hex')}`,
    manifestMediaType: parts.manifestMediaType,
    manifestSize: parts.manifest.length,
    configSize: parts.config.length,
    platform: parts.platform,
    spacing: parts.spacing,
    nodeCount,
    layers: layers.map(({ facts }, i) => ({
      section: numbers.get(facts.digest)!,
      mediaType: parts.layers[i]!.mediaType,
    })),
  });
  const image = encodeSection(SECTION_TYPE.image, info.view(), [
    ...streams,
    { id: STREAM.manifest, blocks: encodeBytes(parts.manifest) },
    { id: STREAM.config, blocks: encodeBytes(parts.config) },
  ]);
  const all = [{ bytes: image, head: readHead(image, 'image section') }, ...sections];
  const minor = Math.max(FORMAT_MINOR, ...layers.map(({ head }) => head.minor));
  return [
    encodeFileHead(all.map(toRecord), { sourceHint: parts.sourceHint, minor }),
    ...all.map(({ bytes }) => bytes),
  ];
}

function readLayer(section: Uint8Array, where: string): { facts: LayerFacts; head: SectionHead } {
  const head = readHead(section, where);
  check(head.type === SECTION_TYPE.layer && head.length === section.length, `${where} is no layer section`);
  return { head, facts: readLayerFacts(head.info, head.minor, where) };
}

function readHead(section: Uint8Array, where: string): SectionHead {
  const preamble = readPreamble(section.subarray(0, PREAMBLE_BYTES), where);
  const directory = section.subarray(PREAMBLE_BYTES, PREAMBLE_BYTES + preamble.directoryLength);
  return readSectionDirectory(Buffer.from(directory), preamble, where);
}

function toRecord({ bytes, head }: { bytes: Uint8Array; head: SectionHead }): SectionRecord {
  const { type, info, directoryLength, directoryDigest } = head;
  return { type, length: bytes.length, directoryLength, directoryDigest, info };
}
