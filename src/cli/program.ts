/**
 * The commander program. Only the command that is asked for is built: the definitions of the others cost start-up time and are
 * needed by the help and by the suggestions alone. Likewise the flags: only those on the command line are registered at first.
 */

import { createRequire } from 'node:module';
import type * as Commander from 'commander';
import { ClipError } from '../errors.js';
import { DEFINITIONS, type Definition, findDefinition } from './definitions.js';
import { EVERYWHERE, type Everywhere } from './everywhere.js';
import { type Flag, type Flags, flagName } from './flags.js';
import { type RawFlags, validateFlags } from './validate.js';

// As CommonJS, which it is: its ES module wrapper costs 4 ms more of the start-up time.
const commander = createRequire(import.meta.url)('commander') as typeof Commander;
const { Command, CommanderError, Option } = commander;

export type Parsed =
  | {
      kind: 'run';
      definition: Definition;
      args: string[];
      flags: Record<string, unknown>;
      settings: Everywhere;
    }
  /** Help or version that was asked for (`asked`), or shown because no command was given. */
  | { kind: 'show'; text: string; asked: boolean };

const AFTER = `
SIZE    bytes, or with K, M, G, T or KiB, MiB … (powers of 1024),
        kB, MB … (powers of 1000)
TIME    seconds, or with ms, s, m, h
Each flag has a variable, --cache-dir CLIP_CACHE_DIR. The flag wins.
Status  0 done, 1 failed, 2 usage, 3 not found, 4 login, 5 network, 6 integrity,
        7 bench gate, 130 interrupted

Examples:
  clip cat debian:12 /etc/os-release      one file of an image in a registry
  clip ls -l oci:./layout /usr/bin        an image in a folder
  clip bench --reads 50                   what reads of the bundled image cost
`;

/** Columns of the help; lines that are longer are hard to read. */
const WIDEST = 100;
/** Columns that what a flag means may have at least; with fewer it is not broken into lines. */
const NARROWEST = 24;

interface Setting {
  version: () => string;
  /** Of the terminal that shows the help. */
  columns: () => number | undefined;
  env: NodeJS.ProcessEnv;
}

/** Parses and validates a command line. Throws ClipError USAGE, with a suggestion where there is a near miss. */
export function parseCommandLine(args: readonly string[], setting: Setting): Parsed {
  // `clip help cat` is `clip cat --help`, with the flags that `cat` has.
  if (args[0] === 'help' && args[1] !== undefined && !args[1].startsWith('-')) {
    const [, command, ...rest] = args;
    return parseCommandLine(findDefinition(command) ? [command, '--help'] : [command, ...rest], setting);
  }
  const definition = wantedCommand(args);
  if (!definition) return parseWhole(undefined, args, setting);
  const words = spreadClusters(args, definition);
  // The quick way knows only what is on this command line, so what it cannot parse is for the whole program to judge.
  return parseRun(definition, words, setting) ?? parseWhole(definition, words, setting);
}

/** `-lq` as `-l -q`: commander takes clusters of letters of one command, and these are of two. Nothing after `--` is a flag. */
function spreadClusters(args: readonly string[], { flags }: Definition): string[] {
  const [own, everywhere] = [switchesOf(flags), `${switchesOf(EVERYWHERE)}h`];
  const end = args.includes('--') ? args.indexOf('--') : args.length;
  const isMixed = (letters: readonly string[]) =>
    letters.every((letter) => own.includes(letter) || everywhere.includes(letter)) &&
    letters.some((letter) => !own.includes(letter));
  return args.flatMap((arg, i) => {
    const letters = i < end && /^-[a-zA-Z]{2,}$/.test(arg) ? [...arg.slice(1)] : [];
    return letters.length > 0 && isMixed(letters) ? letters.map((letter) => `-${letter}`) : [arg];
  });
}

function switchesOf(flags: Flags): string {
  return Object.values(flags)
    .map(({ short = '', value }) => (value === undefined ? short : ''))
    .join('');
}

function parseRun(definition: Definition, args: readonly string[], setting: Setting): Parsed | undefined {
  const program = new Command('clip').helpOption(false).exitOverride().configureOutput(MUTE);
  const mentioned = (key: string, flag: Flag<unknown>) => args.some((arg) => mentions(arg, key, flag));
  addFlags(program, everywhereFlags(definition), mentioned);
  const command = program.command(`${definition.name} ${definition.usage}`).helpOption(false);
  addFlags(command, definition.flags, mentioned);
  let run = false;
  command.action(() => {
    run = true;
  });
  try {
    program.parse([...args], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return undefined;
    throw error;
  }
  if (!run) return undefined;
  const { env } = setting;
  return {
    kind: 'run',
    definition,
    args: command.args,
    flags: validateFlags(definition.flags, command.opts<RawFlags>(), env),
    settings: validateFlags(settingsFlags(definition), program.opts<RawFlags>(), env) as Everywhere,
  };
}

/** Every command and flag: for the help, and for errors with suggestions. */
function parseWhole(wanted: Definition | undefined, args: readonly string[], setting: Setting): Parsed {
  let shown = '';
  let asked = true;
  const program = new Command('clip')
    .description('Reads single files out of container images: a small index, verified spans, one inflate.')
    .version(setting.version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show the help of clip or of a command')
    .configureHelp({
      showGlobalOptions: true,
      helpWidth: Math.min(setting.columns() ?? WIDEST, WIDEST),
      minWidthToWrap: NARROWEST,
    })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        shown += text;
      },
      writeErr: (text) => {
        asked = false;
        shown += text;
      },
      outputError: () => {},
    })
    .addHelpText('after', AFTER);
  addFlags(program, everywhereFlags(wanted), () => true);
  for (const definition of wanted ? [wanted] : DEFINITIONS) addCommand(program, definition);
  try {
    program.parse([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (shown === '') throw usageError(error, wanted);
  }
  return { kind: 'show', text: shown, asked };
}

const MUTE = { writeOut() {}, writeErr() {}, outputError() {} };

/** Whether an argument can be this flag: `--flag`, `--flag=value`, or a letter in a cluster such as `-lR`. */
function mentions(arg: string, key: string, flag: Flag<unknown>): boolean {
  if (!arg.startsWith('-')) return false;
  if (arg.startsWith('--')) return arg === `--${flagName(key)}` || arg.startsWith(`--${flagName(key)}=`);
  return flag.short !== undefined && arg.includes(flag.short);
}

function addFlags(
  to: Commander.Command,
  flags: Flags,
  include: (key: string, flag: Flag<unknown>) => boolean,
): void {
  for (const [key, flag] of Object.entries(flags)) {
    if (include(key, flag)) to.addOption(commanderOption(key, flag));
  }
}

/** A command's own flag takes the place of an everywhere-flag of the same name. */
function everywhereFlags(definition: Definition | undefined): Flags {
  if (!definition) return EVERYWHERE;
  return Object.fromEntries(Object.entries(EVERYWHERE).filter(([key]) => !(key in definition.flags)));
}

/** The flags that hold everywhere; where a command's own flag has taken the place of one, that one is at its default. */
function settingsFlags(definition: Definition): Flags {
  const flags: Record<string, Flag<unknown>> = { ...EVERYWHERE };
  for (const key of Object.keys(definition.flags)) {
    if (flags[key]) flags[key] = { ...flags[key], env: false };
  }
  return flags;
}

/** The command that `args` name, if that can be told without parsing; undefined leads to the whole program. */
function wantedCommand(args: readonly string[]): Definition | undefined {
  const everywhere: Flags = EVERYWHERE;
  const valued = new Set(
    Object.keys(everywhere)
      .filter((key) => everywhere[key]!.value !== undefined)
      .map((key) => `--${flagName(key)}`),
  );
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (valued.has(arg)) i++;
    else if (!arg.startsWith('-')) return findDefinition(arg);
  }
  return undefined;
}

function addCommand(program: Commander.Command, definition: Definition): void {
  const command = program.command(`${definition.name} ${definition.usage}`).summary(definition.summary);
  command.description(`${definition.summary[0]!.toUpperCase()}${definition.summary.slice(1)}.`);
  for (const argument of command.registeredArguments) {
    argument.description = definition.arguments[argument.name()] ?? '';
  }
  addFlags(command, definition.flags, () => true);
  const width = Math.max(...definition.examples.map(([line]) => line.length));
  const examples = definition.examples.map(([line, what]) => `  ${line.padEnd(width)}  ${what}`);
  command.addHelpText('after', `\nExamples:\n${examples.join('\n')}\n`);
  // Without an action commander takes a command without arguments for a request for help.
  command.action(() => {});
}

/** The values are collected as text; validation is ours, so that flags and variables fail in the same words. */
function commanderOption(key: string, flag: Flag<unknown>): Commander.Option {
  const short = flag.short === undefined ? '' : `-${flag.short}, `;
  const value = flag.value === undefined ? '' : ` <${flag.value}>`;
  const shown = flag.shown === undefined ? '' : ` (default: ${flag.shown})`;
  const option = new Option(`${short}--${flagName(key)}${value}`, `${flag.summary}${shown}`);
  // commander reads `--no-cache` as the opposite of `--cache`; here it is a flag like any other.
  option.negate = false;
  if (flag.value !== undefined) {
    option.argParser<string[]>((text, before) => [...(before ?? []), text]);
  }
  return option;
}

function usageError(error: Commander.CommanderError, wanted: Definition | undefined): ClipError {
  const [first = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const near = suggestion?.replace(/^\(Did you mean (.*)\?\)$/, 'did you mean $1?');
  const help = wanted ? `clip ${wanted.name} --help` : 'clip --help';
  return new ClipError('USAGE', first, { hint: near ?? `\`${help}\` shows what there is` });
}
