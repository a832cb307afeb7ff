/** Archives as `docker save` wrote and writes them, made from an OCI layout without an engine. */

import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { run } from './docker-registry.js';

interface Described {
  digest: string;
}

interface Parts {
  config: Buffer;
  layers: { digest: string; blob: Buffer }[];
}

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function readParts(layout: string): Parts {
  const blob = ({ digest }: Described) => readFileSync(join(layout, 'blobs', ...digest.split(':')));
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as { manifests: Described[] };
  const manifest = JSON.parse(blob(index.manifests[0]!).toString()) as {
    config: Described;
    layers: Described[];
  };
  return {
    config: blob(manifest.config),
    layers: manifest.layers.map((layer) => ({ digest: layer.digest, blob: blob(layer) })),
  };
}

/** Docker before 25: a folder per layer with `layer.tar`, equal layers as links, `<id>.json`, `repositories`. */
export async function makeOldDockerSave(layout: string, folder: string, tag: string): Promise<string> {
  const { config, layers } = readParts(layout);
  const root = join(folder, 'old-save');
  mkdirSync(root);
  const first = new Map<string, string>();
  const paths = layers.map(({ blob }, i) => {
    const tar = gunzipSync(blob);
    const id = sha(Buffer.from(`${sha(tar)}-${i}`));
    mkdirSync(join(root, id));
    writeFileSync(join(root, id, 'VERSION'), '1.0');
    const same = first.get(sha(tar));
    if (same === undefined) writeFileSync(join(root, id, 'layer.tar'), tar);
    else symlinkSync(`../${same}/layer.tar`, join(root, id, 'layer.tar'));
    first.set(sha(tar), same ?? id);
    return `${id}/layer.tar`;
  });
  writeFileSync(join(root, `${sha(config)}.json`), config);
  writeFileSync(join(root, 'repositories'), '{}');
  writeFileSync(
    join(root, 'manifest.json'),
    JSON.stringify([{ Config: `${sha(config)}.json`, RepoTags: [tag], Layers: paths }]),
  );
  const archive = join(folder, 'old-save.tar');
  await run('tar', ['-C', root, '-cf', archive, '.']);
  return archive;
}

/** Docker 25 and later: an OCI layout with a `manifest.json` beside it; layers plain, or as they were pulled (containerd's store). */
export async function makeCurrentDockerSave(
  layout: string,
  folder: string,
  options: { tag: string; plain: boolean },
): Promise<string> {
  const { config, layers } = readParts(layout);
  const name = options.plain ? 'current-save' : 'containerd-save';
  const root = join(folder, name);
  cpSync(layout, root, { recursive: true });
  const paths = layers.map(({ digest, blob }) => {
    if (!options.plain) return `blobs/sha256/${digest.slice(7)}`;
    const tar = gunzipSync(blob);
    writeFileSync(join(root, 'blobs/sha256', sha(tar)), tar);
    return `blobs/sha256/${sha(tar)}`;
  });
  writeFileSync(
    join(root, 'manifest.json'),
    JSON.stringify([{ Config: `blobs/sha256/${sha(config)}`, RepoTags: [options.tag], Layers: paths }]),
  );
  const archive = join(folder, `${name}.tar`);
  await run('tar', ['-C', root, '-cf', archive, 'blobs', 'index.json', 'manifest.json', 'oci-layout']);
  return archive;
}
