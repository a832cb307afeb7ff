// The image that is measured: one that is named, or one made of this machine's files, served over loopback.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  copyToRegistry,
  missingPrograms,
  startDockerRegistry,
} from '../../dist/test/support/docker-registry.js';
import { writePackedLayout } from '../../dist/test/support/layout-builder.js';
import { startTestRegistry } from '../../dist/test/support/registry.js';
import { temporary } from './run.js';

/** `{reference, host, layout, blobs (largest first), stop}`; `layout` holds the same image on disk, for programs that read files. */
export async function takeImage(name, { megabytes }) {
  const layout = join(temporary, 'layout');
  if (name === undefined) {
    makeLayout(layout, megabytes);
    const served = await serve(layout);
    return { ...served, layout, blobs: blobsOf(layout) };
  }
  execFileSync('skopeo', [
    'copy',
    '--quiet',
    '--src-tls-verify=false',
    `docker://${name}`,
    `oci:${layout}:bench`,
  ]);
  return {
    reference: name,
    host: name.slice(0, name.indexOf('/')),
    layout,
    blobs: blobsOf(layout),
    stop: async () => {},
  };
}

/** Three layers, as in most images: a base, what was installed, a little on top. */
function makeLayout(layout, megabytes) {
  const folders = [['usr/bin', 'etc'], ['usr/lib'], ['usr/share/doc']];
  const share = [0.3, 0.6, 0.1];
  const layers = folders.map((names, i) => {
    const bytes = Math.floor(megabytes * share[i]) * 1e6;
    const tar = join(temporary, 'layer.tar');
    // A tar that is cut within a file is none: whole files are added until there is enough.
    const list = join(temporary, 'list');
    const find = `cd / && find ${names.join(' ')} -type f -size -64M -printf '%s %p\\n' 2>/dev/null | LC_ALL=C sort -k2 | awk '{s+=$1+1024; if (s>${bytes}) exit; sub(/^[0-9]+ /, ""); print}' > ${list}`;
    execFileSync('sh', ['-c', `${find}; tar -C / -cf ${tar} --no-recursion -T ${list} 2>/dev/null || true`]);
    const diffId = `sha256:${createHash('sha256').update(readFileSync(tar)).digest('hex')}`;
    execFileSync('sh', ['-c', `gzip -6n < ${tar} > ${tar}.gz`]);
    const blob = readFileSync(`${tar}.gz`);
    return { blob, diffId, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' };
  });
  writePackedLayout(layout, layers, 'bench');
}

async function serve(layout) {
  if (missingPrograms('docker-registry', 'skopeo') === undefined) {
    const registry = await startDockerRegistry();
    await copyToRegistry(layout, `${registry.host}/bench:1`);
    return { reference: `${registry.host}/bench:1`, host: registry.host, stop: () => registry.stop() };
  }
  const registry = await startTestRegistry();
  await registry.addLayout('bench', layout, '1');
  return { reference: `${registry.host}/bench:1`, host: registry.host, stop: () => registry.stop() };
}

function blobsOf(layout) {
  const folder = join(layout, 'blobs/sha256');
  const files = readdirSync(folder).map((hex) => join(folder, hex));
  const gzip = files.filter((file) =>
    readFileSync(file)
      .subarray(0, 2)
      .equals(Buffer.from([0x1f, 0x8b])),
  );
  if (gzip.length === 0) throw new Error('the image has no gzip layers, which is what the others decode');
  return gzip.sort((a, b) => statSync(b).size - statSync(a).size);
}
