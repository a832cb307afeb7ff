// Runs commands in turn and keeps every sample: a noisy machine then hurts all alike.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

export const temporary = mkdtempSync(join(tmpdir(), 'clip-bench-'));
process.on('exit', () => rmSync(temporary, { recursive: true, force: true }));

export function has(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));
}

/** One run of a shell command, output thrown away: seconds of wall time and of all its processes' CPU time. */
export function time(command) {
  return new Promise((resolve, reject) => {
    const script = `TIMEFORMAT='%R %U %S'; set -o pipefail; time { ${command} ; } >/dev/null 2>"$0"`;
    const errors = join(temporary, 'stderr');
    const child = spawn('bash', ['-c', script, errors], { stdio: ['ignore', 'ignore', 'pipe'] });
    let text = '';
    child.stderr.on('data', (chunk) => {
      text += chunk;
    });
    child.on('close', (status) => {
      if (status !== 0) reject(new Error(`${command}: status ${status}\n${readFileSync(errors, 'utf8')}`));
      const [wall, user, system] = text.trim().split('\n').at(-1).split(' ').map(Number);
      resolve({ wall, cpu: user + system });
    });
  });
}

/**
 * Contestants `{name, command, before?}` take turns, `rounds` times. Returns each with its samples in seconds; the first is what the
 * others are compared with.
 */
export async function contest(contestants, rounds) {
  const results = contestants.map(({ name, command }) => ({ name, command, wall: [], cpu: [] }));
  for (let round = 0; round < rounds; round++) {
    for (const [i, { command, before }] of contestants.entries()) {
      if (before) await time(before);
      const { wall, cpu } = await time(command);
      results[i].wall.push(wall);
      results[i].cpu.push(cpu);
    }
  }
  return results.map((result) => ({ ...result, ...summary(result.wall), cpuMedian: median(result.cpu) }));
}

export function median(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

export function quantile(samples, q) {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(Math.floor(q * sorted.length), sorted.length - 1)];
}

export function summary(samples) {
  return { median: median(samples), min: Math.min(...samples), max: Math.max(...samples) };
}
