/**
 * Every command of the program: what it takes, what its help says, and where its code is. The code of a command is loaded when
 * it runs; this table is loaded always, so it imports nothing heavy.
 */

import {
  BENCH_FLAGS,
  CACHE_FLAGS,
  CAT_FLAGS,
  EXTRACT_FLAGS,
  INDEX_FLAGS,
  INFO_FLAGS,
  type Input,
  LS_FLAGS,
  PULL_FLAGS,
  PUSH_FLAGS,
  STAT_FLAGS,
  VERIFY_FLAGS,
} from './command-flags.js';
import type { Context } from './context.js';
import type { Flags } from './flags.js';

export type Run<F extends Flags> = (context: Context, input: Input<F>) => Promise<void>;

export interface Definition<F extends Flags = Flags> {
  name: string;
  summary: string;
  /** In commander's notation: `<target> <path...>`. */
  usage: string;
  /** What the help says of each positional argument. */
  arguments: Readonly<Record<string, string>>;
  flags: F;
  /** Command lines with what they do. */
  examples: readonly (readonly [command: string, what: string])[];
  load(): Promise<{ run: Run<F> }>;
}

const TARGET = 'an index file, an image reference (debian:12) or a transport (oci:DIR[:TAG], docker://…)';

function define<F extends Flags>(definition: Definition<F>): Definition {
  return definition as unknown as Definition;
}

export const DEFINITIONS: readonly Definition[] = [
  define({
    name: 'index',
    summary: 'walk an image once and write its index; prints the path of the index',
    usage: '<image>',
    arguments: { image: 'an image reference or a transport' },
    flags: INDEX_FLAGS,
    examples: [
      ['IDX=$(clip index debian:12)', 'index an image of Docker Hub into the store'],
      ['clip index oci:./layout:latest -o app.clip', 'index an OCI layout into a file'],
    ],
    load: () => import('./commands/index.js'),
  }),
  define({
    name: 'cat',
    summary: 'print files; fetches and inflates only the spans that hold them',
    usage: '<target> <path...>',
    arguments: { target: TARGET, path: 'path in the image; links are followed' },
    flags: CAT_FLAGS,
    examples: [
      ['clip cat debian:12 /etc/os-release', 'one file'],
      ['clip cat app.clip /usr/bin/app --offset 4096 --length 64', 'a part of a file'],
    ],
    load: () => import('./commands/cat.js'),
  }),
  define({
    name: 'ls',
    summary: 'list a directory of the merged tree',
    usage: '<target> [path]',
    arguments: { target: TARGET, path: 'path in the image (default: its root)' },
    flags: LS_FLAGS,
    examples: [
      ['clip ls -l debian:12 /etc', 'a directory, long'],
      ['clip ls -R --json app.clip | jq -r .path', 'every path'],
    ],
    load: () => import('./commands/ls.js'),
  }),
  define({
    name: 'stat',
    summary: 'show all metadata of paths',
    usage: '<target> <path...>',
    arguments: { target: TARGET, path: 'path in the image; a last link is not followed unless -L' },
    flags: STAT_FLAGS,
    examples: [['clip stat debian:12 /usr/bin/passwd', 'mode, owner, times, links, xattrs, layer']],
    load: () => import('./commands/stat.js'),
  }),
  define({
    name: 'extract',
    summary: 'write files and directories into a folder, never outside it',
    usage: '<target> [path...]',
    arguments: { target: TARGET, path: 'paths or globs (default: everything); ** crosses directories' },
    flags: EXTRACT_FLAGS,
    examples: [
      ["clip extract debian:12 '/etc/**/*.conf' -C out", 'what a glob matches'],
      ['clip extract app.clip /opt/app -C out', 'a directory with all that is in it'],
    ],
    load: () => import('./commands/extract.js'),
  }),
  define({
    name: 'export',
    summary: 'write the tree, or a part of it, as one tar to stdout',
    usage: '<target> [path...]',
    arguments: { target: TARGET, path: 'paths or globs (default: everything); ** crosses directories' },
    flags: {},
    examples: [
      ['clip export debian:12 | tar -x -p --numeric-owner -C root', 'the whole root file system'],
      ["clip export app.clip '/etc/**' > etc.tar", 'what a glob matches'],
    ],
    load: () => import('./commands/export.js'),
  }),
  define({
    name: 'info',
    summary: 'show the image, its layers and its index',
    usage: '<target>',
    arguments: { target: TARGET },
    flags: INFO_FLAGS,
    examples: [
      ['clip info debian:12', 'layers, sizes, checkpoints, share of the index'],
      ['clip info --platforms debian:12', 'what --platform can be'],
    ],
    load: () => import('./commands/info.js'),
  }),
  define({
    name: 'verify',
    summary: 'prove an index against its image: scan every layer again, read every file',
    usage: '<target>',
    arguments: { target: TARGET },
    flags: VERIFY_FLAGS,
    examples: [
      ['clip verify app.clip', 'the index and the image that it names'],
      ['clip verify app.clip --source mirror.example/app', 'the same image in another place'],
    ],
    load: () => import('./commands/verify.js'),
  }),
  define({
    name: 'prefetch',
    summary: 'load files into the caches ahead of time; prints nothing',
    usage: '<target> [path...]',
    arguments: { target: TARGET, path: 'paths or globs (default: everything); ** crosses directories' },
    flags: {},
    examples: [
      ["clip prefetch registry.example/app:1 /opt/app '/usr/lib/**/*.so*'", 'what a start will read'],
    ],
    load: () => import('./commands/prefetch.js'),
  }),
  define({
    name: 'push',
    summary: 'store an index beside its image in the registry, where every clip finds it',
    usage: '<index> [image]',
    arguments: {
      index: 'an index file, or an image whose index is built or in the store',
      image: 'the image in its registry (default: where the index says it was read from)',
    },
    flags: PUSH_FLAGS,
    examples: [
      ['clip push registry.example/app:1', 'index an image and store the index beside it'],
      ['clip push app.clip registry.example/app:1', 'an index that is there already'],
    ],
    load: () => import('./commands/push.js'),
  }),
  define({
    name: 'pull',
    summary: 'fetch the index that lies beside an image; prints its path',
    usage: '<image>',
    arguments: { image: 'an image reference' },
    flags: PULL_FLAGS,
    examples: [['clip pull registry.example/app:1 -o app.clip', 'into a file, every block verified']],
    load: () => import('./commands/pull.js'),
  }),
  define({
    name: 'cache',
    summary: 'look after spans, indexes and copies on disk: info, prune, clear or verify',
    usage: '<action>',
    arguments: {
      action:
        'info, prune (each store down to --disk-cache), clear (indexes too), or verify (drops what is damaged)',
    },
    flags: CACHE_FLAGS,
    examples: [
      ['clip cache info', 'where each store is and what it holds'],
      ['clip cache prune --disk-cache 2G', 'drop what was used longest ago'],
    ],
    load: () => import('./commands/cache.js'),
  }),
  define({
    name: 'bench',
    summary: 'compare what reads cost with naive, layer and span inflating',
    usage: '[target]',
    arguments: { target: `${TARGET}; default: the image that comes with clip` },
    flags: BENCH_FLAGS,
    examples: [
      ['clip bench --reads 50', 'the bundled image, anywhere'],
      ['clip bench --workers 4 --remote-cache redis://cache', 'what a fleet of workers saves'],
      ['clip bench debian:12 --max-inflates span=40 --baseline last.json', 'a regression gate in CI'],
    ],
    load: () => import('./commands/bench.js'),
  }),
];

export function findDefinition(name: string): Definition | undefined {
  return DEFINITIONS.find((definition) => definition.name === name);
}
