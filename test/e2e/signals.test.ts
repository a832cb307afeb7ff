// Ctrl-C and SIGTERM in the middle of the work: the documented status, soon, one line, and nothing half-written.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startTestRegistry, type TestRegistry } from '../support/registry.js';
import { bundled, clip, root } from '../support/run-clip.js';

/** Far more than is needed, so that a loaded machine does not fail the test; a wait for the stalled transfer takes 60 s. */
const SOON_MS = 5000;

describe('a signal in the middle', () => {
  let registry: TestRegistry;
  let work: string;
  let image: string;
  let index: string;

  before(async () => {
    work = mkdtempSync(join(tmpdir(), 'clip-signals-'));
    registry = await startTestRegistry();
    await registry.addLayout('demo', join(root, 'fixtures/debian-small'), '1');
    image = `${registry.host}/demo:1`;
    index = join(work, 'demo.clip');
    const built = await clip(['index', image, '-o', index], { cacheDir: join(work, 'first') });
    assert.equal(built.status, 0, built.stderr);
  });

  after(async () => {
    await registry.stop();
    rmSync(work, { recursive: true, force: true });
  });

  const out = (name: string) => join(work, `out-${name}`);
  // The large layer stalls after so many bytes: the command has begun its work and is in the middle of it.
  const cases: [name: string, args: () => string[]][] = [
    ['index', () => ['index', image]],
    ['index -o', () => ['index', image, '-o', join(work, 'new.clip')]],
    ['cat', () => ['cat', index, '/usr/share/zoneinfo/Europe/Paris', '/etc/os-release']],
    ['cat of an image without an index', () => ['cat', image, '/etc/os-release']],
    ['extract', () => ['extract', index, '-C', out('extract')]],
    ['export', () => ['export', index]],
    ['bench', () => ['bench', index, '-q']],
  ];

  for (const [i, [name, args]] of cases.entries()) {
    const signal = i % 2 === 0 ? 'SIGINT' : 'SIGTERM';
    test(`${signal} in ${name}`, async () => {
      const cacheDir = join(work, `cache-${i}`);
      const temporary = join(work, `tmp-${i}`);
      mkdirSync(temporary);
      let stalled: () => void = () => {};
      const stalls = new Promise<void>((resolve) => {
        stalled = resolve;
      });
      registry.onRequest((request) => {
        if (request.kind !== 'blob' || !request.path.includes('555a4c4b')) return undefined;
        setTimeout(stalled, 150);
        return { kind: 'stall', after: 200_000 };
      });
      const env = { PATH: process.env.PATH, HOME: cacheDir, CLIP_CACHE_DIR: cacheDir, TMPDIR: temporary };
      const child = spawn(process.execPath, [join(root, 'bin/clip.js'), ...args(), '--idle-timeout', '60s'], {
        env,
      });
      let stderr = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text;
      });
      child.stdout.resume();
      const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
      await Promise.race([stalls, ended]);
      const asked = performance.now();
      child.kill(signal);
      assert.equal(await ended, signal === 'SIGINT' ? 130 : 143, stderr);
      assert.ok(performance.now() - asked < SOON_MS);
      const lines = stderr.trimEnd().split('\n');
      assert.match(lines[0]!, new RegExp(`^clip: interrupted by ${signal} \\(INTERRUPTED\\)$`));
      // `extract` and `bench` close with their receipt.
      for (const line of lines.slice(1)) assert.match(line, /^clip: \d+ reads? /);
      assert.deepEqual(leftovers(cacheDir), []);
      assert.deepEqual(filesIn(temporary), []);
      assert.deepEqual(
        filesIn(work).filter((path) => path.includes('new.clip') || path.includes('.clip-')),
        [],
      );
    });
  }

  test('a file that was extracted before the signal is whole', async () => {
    const args = ['extract', bundled, '-C', out('whole')];
    assert.equal((await clip(args, { cacheDir: join(work, 'first') })).status, 0);
    const names = filesIn(out('extract'));
    assert.ok(names.length > 0);
    assert.ok(names.length < filesIn(out('whole')).length);
    for (const name of names) {
      assert.ok(
        readFileSync(join(out('extract'), name)).equals(readFileSync(join(out('whole'), name))),
        name,
      );
    }
  });
});

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      statSync(join(folder, name), { throwIfNoEntry: false })?.isFile(),
    );
  } catch {
    return [];
  }
}

/** What is half-written: temporary names and claims. Whole spans, sections and names may stay. */
function leftovers(cacheDir: string): string[] {
  return filesIn(cacheDir).filter((name) => /\.tmp$|(^|\/)(tmp|claims)\/|\.lock$|\.clip$/.test(name));
}
