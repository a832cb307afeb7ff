import type { OpenedImage } from '../build/opened-image.js';
import { isClipError } from '../errors.js';
import { fanOut } from '../observer.js';
import { createReceipt } from '../read/receipt.js';
import type { Context } from './context.js';
import type { Definition } from './definitions.js';
import type { Everywhere } from './everywhere.js';
import { describeError, statusOf } from './output/errors.js';
import { withLocalName } from './output/local-name.js';
import { createLog } from './output/log.js';
import { createProgress, noProgress } from './output/progress.js';
import { type ReceiptIndex, receiptJson, receiptText } from './output/receipt.js';
import { writeStderr } from './output/stderr.js';
import { ClosedPipe, createStdout } from './output/stdout.js';
import { loadStyle } from './output/style.js';
import { lookAtTerminal, type Terminal } from './output/terminal.js';
import { parseCommandLine } from './program.js';
import { pathsAsTyped } from './raw-arguments.js';
import { openOptions } from './settings.js';
import { watchSignals } from './signals.js';
import { packageVersion } from './version.js';

/** Runs one command line; resolves to its exit status, when all output is written. Never rejects. */
export async function run(args: readonly string[]): Promise<number> {
  // What nobody awaits and nobody catches is a bug too, and is reported like one.
  process.on('uncaughtException', (error) => {
    writeStderr(describeError(error, { stack: true }));
    process.exit(statusOf(error));
  });
  try {
    const parsed = parseCommandLine(args, {
      version: packageVersion,
      columns: terminalColumns,
      env: process.env,
    });
    if (parsed.kind === 'run') return await runCommand(parsed);
    if (!parsed.asked) {
      writeStderr(parsed.text);
      return 2;
    }
    const stdout = createStdout();
    stdout.print(parsed.text);
    await stdout.flush();
    return 0;
  } catch (error) {
    if (error instanceof ClosedPipe) return 0;
    writeStderr(describeError(error, { stack: args.includes('--log-level=debug') }));
    return statusOf(error);
  }
}

/** A pager writes to the terminal that errors go to. */
function terminalColumns(): number | undefined {
  return process.stdout.columns ?? process.stderr.columns;
}

interface Command {
  definition: Definition;
  args: string[];
  flags: Record<string, unknown>;
  settings: Everywhere;
}

async function runCommand(command: Command): Promise<number> {
  const { settings } = command;
  const terminal = await lookAtTerminal(process.env);
  const interrupts = watchSignals();
  const progress = terminal.stderr && !settings.quiet ? createProgress() : noProgress;
  const receipt = createReceipt();
  const metrics =
    settings.metrics === undefined ? undefined : (await import('../read/metrics.js')).createMetrics();
  const level = settings.quiet && settings.logLevel === 'warn' ? 'error' : settings.logLevel;
  const log = createLog({ level, format: settings.logFormat, write: (text) => progress.write(text) });
  const opened: OpenedImage[] = [];
  const failures: number[] = [];
  const errorStyle = await loadStyle(terminal.stderrColour);

  function report(failure: unknown): void {
    const isTarget = !command.definition.usage.startsWith('<image>');
    const named = withLocalName(failure, command.args[0], { isTarget });
    const error = withLocalName(named, settings.source, { isTarget: false });
    failures.push(interrupts.status() ?? statusOf(error));
    metrics?.error(isClipError(error) ? error.code : 'FAILED');
    progress.write(describeError(error, { stack: settings.logLevel === 'debug', style: errorStyle }));
  }

  const observer = fanOut(receipt, log, progress, ...(metrics ? [metrics] : []));
  const options = openOptions(settings, {
    env: process.env,
    observer,
    scanObserver: fanOut(receipt.scan, log, progress, ...(metrics ? [metrics.scan] : [])),
    signal: interrupts.signal,
  });
  const context: Context = {
    settings,
    stdout: createStdout(),
    terminal,
    style: await loadStyle(terminal.stdoutColour),
    signal: interrupts.signal,
    observer,
    openOptions: options,
    async open(target) {
      const { openImage } = await import('../build/open-image.js');
      const image = await openImage(target, options);
      opened.push(image);
      return image;
    },
    tell: (text) => progress.write(text),
    softError(error) {
      if (error instanceof ClosedPipe || interrupts.signal.aborted) throw error;
      report(error);
    },
  };

  let quietly = false;
  try {
    const { run: runDefinition } = await command.definition.load();
    await runDefinition(context, { args: asTyped(command), flags: command.flags });
    await context.stdout.flush();
  } catch (error) {
    if (error instanceof ClosedPipe) quietly = true;
    else if (interrupts.signal.aborted) report(interrupts.signal.reason);
    else {
      // What was printed before it failed, such as the table that a gate is about, is still owed.
      await context.stdout.flush().catch(() => {});
      report(error);
    }
  }
  await closeAll(opened, report);
  progress.stop();
  if (metrics && settings.metrics !== undefined) {
    const { writeMetrics } = await import('./metrics-file.js');
    await writeMetrics(settings.metrics, metrics.text()).catch(report);
  }
  const form = receiptForm(command, terminal);
  const nothing = quietly || opened.length === 0;
  if (form !== 'none' && !(nothing && settings.stats === undefined)) {
    const index = opened[0] && receiptIndex(opened[0]);
    const print = form === 'json' ? receiptJson : receiptText;
    writeStderr(`${print(receipt.toJSON(), index)}\n`);
  }
  return failures[0] ?? 0;
}

function asTyped({ definition, args }: Command): string[] {
  const [target, ...paths] = args;
  return target === undefined || !definition.usage.includes('path') ? args : [target, ...pathsAsTyped(paths)];
}

function receiptIndex({ origin, index, indexPath }: OpenedImage): ReceiptIndex {
  const { identity } = index;
  return origin === 'registry' ? { origin, identity, artifact: indexPath } : { origin, identity };
}

async function closeAll(opened: readonly OpenedImage[], report: (error: unknown) => void): Promise<void> {
  for (const image of opened) {
    try {
      await image.close();
    } catch (error) {
      report(error);
    }
  }
}

/** Without `--stats`: text for `extract`, `bench` and `prefetch`, on a terminal for `cat` and `export`, else none. */
function receiptForm(command: Command, terminal: Terminal): 'text' | 'json' | 'none' {
  if (command.settings.stats !== undefined) return command.settings.stats;
  if (command.settings.quiet) return 'none';
  const { name } = command.definition;
  if (name === 'extract' || name === 'bench' || name === 'prefetch') return 'text';
  return (name === 'cat' || name === 'export') && terminal.stderr ? 'text' : 'none';
}
