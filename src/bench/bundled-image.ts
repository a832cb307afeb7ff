import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ClipError } from '../errors.js';

/** The transport name of the image that ships in the package, an OCI layout in `fixtures/`. */
export function bundledImage(): string {
  // Three folders up from dist/src/bench/ is the package.
  const folder = fileURLToPath(new URL('../../../fixtures/debian-small', import.meta.url));
  if (!existsSync(folder)) {
    throw new ClipError('NOT_FOUND', `the bundled image is missing: ${folder}`, {
      hint: 'install clip again, or name an image: clip bench <target>',
    });
  }
  return `oci:${folder}:latest`;
}
