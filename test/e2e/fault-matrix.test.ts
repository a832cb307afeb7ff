// Each fault × (index, cat, extract): right bytes, or the status and message that docs/registries.md says. The document's table is
// the expectation; `CLIP_PRINT_MATRIX=1` prints the rows as they are.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { buildImageIndex } from '../../src/build/build-image-index.js';
import { withDefaults } from '../../src/build/default-options.js';
import { openImage } from '../../src/build/open-image.js';
import type { OpenOptions } from '../../src/build/options.js';
import { ClipError } from '../../src/errors.js';
import { DEFAULT_CONNECTION } from '../../src/http/options.js';
import { resolvePath, textToByteString } from '../../src/index.js';
import { extract } from '../../src/read/extract.js';
import { selectNodes } from '../../src/tree/select.js';
import { type Certificate, makeCertificate } from '../support/certificate.js';
import { rowsOf, section } from '../support/cli-docs.js';
import { FAULTS, type FaultRow } from '../support/fault-matrix.js';
import { writeLayout } from '../support/layout-builder.js';
import { has } from '../support/needs.js';
import { startTestRegistry, type TestRegistry } from '../support/registry.js';
import { root } from '../support/run-clip.js';
import { member, tar } from '../support/tar-builder.js';
import { noise } from '../support/test-image.js';

const FILES = 12;
const SIZE = 40_000;
const contents = (layer: number, i: number): Buffer => Buffer.from(noise(SIZE, layer * 100 + i + 1));
const layerTar = (layer: number): Buffer =>
  tar(...Array.from({ length: FILES }, (_, i) => member({ name: `l${layer}-${i}` }, contents(layer, i))));

type Command = 'index' | 'cat' | 'extract';
const COMMANDS: readonly Command[] = ['index', 'cat', 'extract'];
interface Outcome {
  /** `right bytes`, or `5 NETWORK`. */
  cell: string;
  message: string;
}

describe('the fault matrix', { skip: has('openssl') ? false : 'needs openssl', concurrency: 6 }, () => {
  let work: string;
  let certificate: Certificate;
  let identity: string;
  let index: Buffer;
  const documented = new Map(
    rowsOf(section(readFileSync(join(root, 'docs/registries.md'), 'utf8'), '## Fault matrix')).map((row) => [
      row[0]!,
      row.slice(1),
    ]),
  );

  before(async () => {
    work = mkdtempSync(join(tmpdir(), 'clip-faults-'));
    certificate = await makeCertificate(work);
    writeLayout(join(work, 'layout'), [layerTar(1), layerTar(2)]);
    const built = await buildImageIndex(`oci:${join(work, 'layout')}`, options());
    identity = built.identity;
    index = readFileSync(built.path);
  });
  after(() => rmSync(work, { recursive: true, force: true }));

  function options(): OpenOptions {
    return withDefaults({
      cacheDir: mkdtempSync(join(work, 'cache-')),
      spacing: 128 << 10,
      strategy: 'span',
      connection: {
        ...DEFAULT_CONNECTION,
        headersTimeout: 400,
        idleTimeout: 400,
        retryDelay: 5,
        environment: { HOME: work, SSL_CERT_FILE: certificate.certFile },
      },
    });
  }

  async function outcome(row: FaultRow, command: Command): Promise<Outcome> {
    const registry = await startTestRegistry({
      ...(row.needs === 'token' && { auth: { kind: 'token' } }),
      ...(row.needs === 'tls' && { tls: certificate }),
    });
    try {
      await registry.addLayout('a/b', join(work, 'layout'), 'v');
      registry.onRequest(row.hook(registry));
      await commands[command](registry);
      return { cell: 'right bytes', message: '' };
    } catch (error) {
      if (!(error instanceof ClipError)) throw error;
      assert.ok(error.hint, `${error.message} has no hint`);
      return { cell: `${error.exitStatus} ${error.code}`, message: error.message };
    } finally {
      await registry.stop();
    }
  }

  const commands: Record<Command, (registry: TestRegistry) => Promise<void>> = {
    async index(registry) {
      const built = await buildImageIndex(`${registry.host}/a/b:v`, options());
      assert.equal(built.identity, identity);
      assert.ok(readFileSync(built.path).subarray(0, 8).equals(index.subarray(0, 8)));
    },
    async cat(registry) {
      const image = await openIndex(registry);
      try {
        for (const [path, wanted] of [
          ['l2-7', contents(2, 7)],
          ['l1-3', contents(1, 3)],
        ] as const) {
          const node = await resolvePath(image.index, textToByteString(path), { followLast: true });
          assert.deepEqual(await image.reader.readAll(node), wanted);
        }
      } finally {
        await image.close();
      }
    },
    async extract(registry) {
      const image = await openIndex(registry);
      const directory = mkdtempSync(join(work, 'out-'));
      try {
        const selection = await selectNodes(image.index, []);
        await extract(selection, { directory, reader: image.reader, observer: { emit() {} } });
        const names = readdirSync(directory);
        assert.equal(names.length, 2 * FILES);
        for (const name of names) {
          const [, layer, i] = /^l([0-9]+)-([0-9]+)$/.exec(name)!;
          assert.deepEqual(sha(readFileSync(join(directory, name))), sha(contents(Number(layer), Number(i))));
        }
      } finally {
        await image.close();
        rmSync(directory, { recursive: true });
      }
    },
  };

  /** The index was built before, from elsewhere; only blobs are asked of the registry. */
  async function openIndex(registry: TestRegistry) {
    const path = join(mkdtempSync(join(work, 'index-')), 'x.clip');
    const { writeFileSync } = await import('node:fs');
    writeFileSync(path, index);
    return await openImage(path, { ...options(), source: `${registry.host}/a/b:v` });
  }

  for (const row of FAULTS) {
    test(row.name, async () => {
      const outcomes = await Promise.all(COMMANDS.map((command) => outcome(row, command)));
      const cells = outcomes.map(({ cell }) => cell);
      const messages = outcomes.flatMap(({ message }) => (message === '' ? [] : [message]));
      if (process.env.CLIP_PRINT_MATRIX)
        console.log(`ROW | ${row.name} | ${cells.join(' | ')} | ${messages.join(' // ')} |`);
      const [wantIndex, wantCat, wantExtract, wantMessage = ''] = documented.get(row.name) ?? [];
      assert.deepEqual(cells, [wantIndex, wantCat, wantExtract]);
      for (const message of messages) assert.ok(message.includes(wantMessage), `${message} / ${wantMessage}`);
    });
  }

  test('the document has just these rows, and says how many cells', () => {
    assert.deepEqual(
      [...documented.keys()],
      FAULTS.map(({ name }) => name),
    );
    const text = readFileSync(join(root, 'docs/registries.md'), 'utf8');
    assert.ok(text.includes(`${FAULTS.length} faults × 3 commands = ${FAULTS.length * 3} cells`));
  });
});

function sha(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
