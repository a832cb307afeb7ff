import type { ImageRef, RegistryReference, Selection } from './image-ref.js';
import { isTransport } from './transports.js';

/** The canonical text: `docker.io/library/debian:12`. Parsing it gives the same reference. */
export function printReference(reference: RegistryReference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${reference.registry}/${reference.repository}${tag}${digest}`;
}

/** As docker shows it: `debian:12`, `grafana/grafana:latest`, `host:5000/name:tag`. Parsing it gives the same reference. */
export function printFamiliar(reference: RegistryReference): string {
  const text = printReference(reference);
  if (reference.registry !== 'docker.io') return text;
  const [first, ...others] = reference.repository.split('/');
  // Without `library/` a repository named like a transport would be read as one: `library/tar:latest`.
  const isBare = first === 'library' && others.length === 1 && !isTransport(others[0]!);
  if (isBare) return text.slice('docker.io/library/'.length);
  // Without the registry in front these would be read as one.
  const readAsRegistry = others.length === 0 || first!.includes('.') || first === 'localhost';
  return readAsRegistry ? text : text.slice('docker.io/'.length);
}

/** Transport and reference; `parseImage(printImage(image))` equals `image`. */
export function printImage(image: ImageRef): string {
  switch (image.transport) {
    case 'docker':
      return `docker://${printReference(image.reference)}`;
    case 'docker-daemon':
      return `docker-daemon:${image.reference}`;
    case 'tar':
      return `tar:${image.path}`;
    default:
      return `${image.transport}:${image.path}${printSelection(image.select)}`;
  }
}

function printSelection(select: Selection): string {
  if (select.digest !== undefined) return `@${select.digest}`;
  if (select.number !== undefined) return `:@${select.number}`;
  return select.name === undefined ? '' : `:${select.name}`;
}
