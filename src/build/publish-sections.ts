import { inParallel } from '../in-parallel.js';
import type { Observer } from '../observer.js';
import type { Descriptor } from '../oci/descriptor.js';
import {
  encodeLayerAnchor,
  encodeSectionArtifact,
  FORMAT,
  LAYER,
  SECTION_ARTIFACT,
  SPACING,
} from '../oci/index-artifact.js';
import { OCI_MANIFEST } from '../oci/media-types.js';
import { digestOf } from '../reference/digest.js';
import type { Publisher } from '../source/registry/publish.js';
import type { ReadOptions } from '../source/source.js';

/** Layers whose sections are made known at the same time. */
const PARALLEL = 4;

/**
 * Makes each layer's section findable by the layer alone, so that other images of the repository that have the layer need not scan it: an
 * artifact whose subject is the layer's anchor. The index is complete without: a registry that refuses is a note in the log.
 */
export async function publishSections(
  publisher: Publisher,
  sections: readonly Descriptor[],
  about: { format: string; spacing: number; observer: Observer; read: ReadOptions },
): Promise<void> {
  const { format, spacing, observer, read } = about;
  await inParallel(sections, PARALLEL, async (section) => {
    const layer = section.annotations?.[LAYER];
    if (layer === undefined) return;
    const anchor = encodeLayerAnchor(layer);
    const subject = { mediaType: OCI_MANIFEST, digest: digestOf(anchor), size: anchor.length };
    try {
      if (!(await publisher.hasManifest(subject.digest, read)))
        await publisher.publish(anchor, undefined, read);
      const manifest = encodeSectionArtifact(subject, { format, spacing }, section);
      const annotations = { [FORMAT]: format, [SPACING]: String(spacing) };
      await publisher.publish(
        manifest,
        { subject: subject.digest, artifactType: SECTION_ARTIFACT, annotations },
        read,
      );
    } catch (error) {
      read.signal?.throwIfAborted();
      observer.emit({ type: 'debug', message: `layer ${layer} is not findable alone: ${String(error)}` });
    }
  });
}
