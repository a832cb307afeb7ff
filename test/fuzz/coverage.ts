import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type JsCoverage, startJsCoverage } from './js-coverage.js';
import { hookCore } from './wasm-coverage.js';

/** dist/src/, seen from dist/test/fuzz/. */
const SOURCE = new URL('../../src/', import.meta.url);

export interface Figures {
  /** Lines of code that ran, and all lines of code, of the target's files. */
  lines: number;
  linesOf: number;
  /** The same of the core's edges; 0 of 0 where the target does not use it. */
  edges: number;
  edgesOf: number;
}

export interface Coverage {
  /** Did anything new run since the last `look` or `keep`? Remembers nothing. */
  look(): boolean;
  /** The same, and remembers it: from now on it is not new. */
  keep(): boolean;
  figures(): Figures;
  /** Lines that never ran, `file:line`. */
  missed(): string[];
  stop(): void;
}

export interface CoverageOptions {
  /** Folders (ending in `/`) and files below dist/src. */
  code: readonly string[];
  /** How often an edge of the core was taken counts too, not only whether. */
  counts: boolean;
}

export function startCoverage({ code, counts }: CoverageOptions): Coverage {
  const core = hookCore();
  const js: JsCoverage = startJsCoverage(code.map((name) => new URL(name, SOURCE).href));
  const seen = new Map<string, Uint8Array>();
  const features = new Set<number>();
  core.take();
  js.take();

  function collect(remember: boolean): boolean {
    let isNew = false;
    for (const found of core.take()) {
      const feature = counts ? found : found - (found % 8);
      if (features.has(feature)) continue;
      isNew = true;
      if (remember) features.add(feature);
    }
    for (const [url, map] of js.take()) {
      let before = seen.get(url);
      if (before === undefined) {
        before = new Uint8Array(map.length);
        seen.set(url, before);
      }
      for (let at = 0; at < map.length; at++) {
        if (map[at] === 0 || before[at] === 1) continue;
        isNew = true;
        if (!remember) break;
        before[at] = 1;
      }
    }
    return isNew;
  }

  function lines(): { place: string; ran: boolean }[] {
    return code.flatMap(filesOf).flatMap((name) => {
      const url = new URL(name, SOURCE);
      const map = seen.get(url.href);
      let at = 0;
      return readFileSync(fileURLToPath(url), 'utf8')
        .split('\n')
        .flatMap((line, number) => {
          const first = at + line.search(/\S|$/);
          at += line.length + 1;
          return isCode(line) ? [{ place: `${name}:${number + 1}`, ran: map?.[first] === 1 }] : [];
        });
    });
  }

  return {
    look: () => collect(false),
    keep: () => collect(true),
    figures() {
      const all = lines();
      const usesCore = code.some((name) => name.startsWith('inflate/gzip'));
      return {
        lines: all.filter(({ ran }) => ran).length,
        linesOf: all.length,
        edges: usesCore ? new Set([...features].map((feature) => Math.floor(feature / 8))).size : 0,
        edgesOf: usesCore ? core.edges : 0,
      };
    },
    missed: () => lines().flatMap(({ place, ran }) => (ran ? [] : [place])),
    stop: () => js.stop(),
  };
}

function filesOf(name: string): string[] {
  if (!name.endsWith('/')) return [name];
  return readdirSync(new URL(name, SOURCE), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.js'))
    .sort()
    .map((file) => name + file);
}

/** Inside a function's body, by its indentation; neither comment nor closing bracket. */
function isCode(line: string): boolean {
  return /^\s+[^\s/*})\]]/.test(line);
}
