/**
 * Progress bars on a terminal's stderr: a view of the `progress` events. cli-progress is loaded only when a task has run for a
 * while, so quick commands neither pay for it nor flicker.
 */

import type { MultiBar, Options, SingleBar } from 'cli-progress';
import { now } from '../../clock.js';
import type { ClipEvent, Observer } from '../../observer.js';
import { formatSize } from '../units.js';
import { writeStderr } from './stderr.js';

export interface Progress extends Observer {
  /** Writes to stderr above the bars. */
  write(text: string): void;
  /** Clears the bars away for good. */
  stop(): void;
}

/** Milliseconds of work before a bar appears. */
const PATIENCE = 400;

/** Where stderr is no terminal: nothing is shown. */
export const noProgress: Progress = { emit() {}, write: writeStderr, stop() {} };

type Task = Extract<ClipEvent, { type: 'progress' }>;

export function createProgress(): Progress {
  const tasks = new Map<string, Task>();
  const bars = new Map<string, SingleBar>();
  let multi: MultiBar | undefined;
  let began = 0;
  let stopped = false;

  async function show(): Promise<void> {
    const { MultiBar } = (await import('cli-progress')).default;
    if (stopped || tasks.size === 0 || multi) return;
    multi = new MultiBar({ ...OPTIONS, stream: process.stderr });
    for (const task of tasks.values()) draw(task);
  }

  function draw(task: Task): void {
    if (!multi) return;
    const bar = bars.get(task.task) ?? multi.create(task.total ?? 0, task.done, { task });
    bars.set(task.task, bar);
    if (task.total !== undefined) bar.setTotal(task.total);
    bar.update(task.done, { task });
  }

  function clear(): void {
    multi?.stop();
    multi = undefined;
    bars.clear();
    tasks.clear();
    began = 0;
  }

  return {
    emit(event) {
      if (event.type !== 'progress' || stopped) return;
      tasks.set(event.task, event);
      if (began === 0) began = now();
      if (multi) draw(event);
      else if (now() - began > PATIENCE) void show();
      if (event.total === undefined || event.done < event.total) return;
      if ([...tasks.values()].every((task) => task.total !== undefined && task.done >= task.total)) clear();
    },
    write(text) {
      if (!multi) return writeStderr(text);
      multi.log(text);
      multi.update();
    },
    stop() {
      stopped = true;
      clear();
    },
  };
}

const OPTIONS: Options = {
  clearOnComplete: true,
  hideCursor: true,
  fps: 10,
  format: (_options, params, { task }: { task: Task }) =>
    progressLine(task, {
      columns: process.stderr.columns || 80,
      seconds: (Date.now() - params.startTime) / 1000,
    }),
};

const BAR = 24;

/** One line of at most `columns` characters: on a narrow terminal the rate goes first, then the bar. */
export function progressLine(task: Task, { columns, seconds }: { columns: number; seconds: number }): string {
  const amount = (value: number) => (task.unit === 'bytes' ? formatSize(value) : String(value));
  const done = amount(task.done);
  const counted = task.total === undefined ? done : `${done.padStart(8)} of ${amount(task.total)}`;
  // Of a handful of layers a rate says nothing.
  const rate =
    task.unit === 'layers' ? [] : [`${amount(Math.round(task.done / Math.max(seconds, 0.001)))}/s`];
  // Enough of a digest to find it in `clip info`.
  const label = task.task.replace(/^(sha\d+:[0-9a-f]{12})[0-9a-f]+$/, '$1');
  const share = task.total === undefined ? undefined : task.total === 0 ? 1 : task.done / task.total;
  const bar = share === undefined ? [] : [barOf(share)];
  const lines = [[...bar, counted, ...rate, label], [...bar, counted, label], [counted, label], [counted]];
  const fitting = lines.map((parts) => parts.join('  ')).find((line) => line.length < columns);
  return fitting ?? counted.trim().slice(0, Math.max(0, columns - 1));
}

function barOf(share: number): string {
  const filled = Math.round(BAR * Math.min(1, share));
  return '━'.repeat(filled) + '─'.repeat(BAR - filled);
}
