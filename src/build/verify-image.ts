/**
 * Proves an index against its image, without believing anything that the index says:
 *
 * 1. the manifest's bytes have the digest that names the image, the source has that manifest, the config is the manifest's, and the
 *    index lists the manifest's layers with the config's diffIDs;
 * 2. every layer is scanned again: blob digest and diffID hold, and, since a section is a function of its layer, the scan gives
 *    the same bytes as the index has. So entries, spans and windows are the truth;
 * 3. the layers are merged again: the tree follows from them, to the byte;
 * 4. every file is read the way `cat` reads it, so that the caches, the spans and the decoder are in the proof too.
 *
 * All that does not hold is told, not only the first of it. Memory grows with the entries of the image, as in building.
 */
import type { OpenedImage } from './opened-image.js';
import type { VerifyOptions } from './verify-checking.js';
import { checkDocuments } from './verify-documents.js';
import { checkFiles } from './verify-files.js';
import { checkLayers } from './verify-layers.js';
import { createFindings, type Problem } from './verify-report.js';
import { checkTree } from './verify-tree.js';

/** What was looked at and found. */
export interface Verification {
  manifestDigest: string | null;
  platform: string | null;
  /** Distinct layers that were scanned, and how many of them hold with their sections. */
  layers: { digest: string; ok: boolean }[];
  /** Names of the merged tree. */
  names: number;
  /** Files and bytes that were read. */
  files: number;
  bytes: number;
  problems: readonly Problem[];
}

/** Throws only what is no finding: an abort, a bug. */
export async function verifyImage(image: OpenedImage, options: VerifyOptions): Promise<Verification> {
  const { index } = image;
  const findings = createFindings(options.onProblem, options.signal);
  const result: Verification = {
    manifestDigest: null,
    platform: null,
    layers: [],
    names: index.nodeCount,
    files: 0,
    bytes: 0,
    problems: findings.problems,
  };
  try {
    const description = await index.describe();
    result.manifestDigest = description.manifestDigest;
    result.platform = description.platform;
    const checking = { index, source: await image.source(), description, findings, options };
    const layers = await checkDocuments(checking);
    result.layers = await checkLayers(checking, layers);
    await checkTree(checking);
  } catch (error) {
    findings.caught(error, { about: 'manifest' });
  }
  const read = await checkFiles(image.reader, findings, options);
  return { ...result, ...read };
}
