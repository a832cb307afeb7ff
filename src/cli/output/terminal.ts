import fs from 'node:fs';

export interface Terminal {
  /** A person looks at stdout, stderr. */
  stdout: boolean;
  stderr: boolean;
  /** Colours may be used there. */
  stdoutColour: boolean;
  stderrColour: boolean;
}

/** What stdout and stderr are. `NO_COLOR` (no-color.org: any value but an empty one) and `TERM=dumb` turn colours off. */
export async function lookAtTerminal(env: NodeJS.ProcessEnv): Promise<Terminal> {
  const colour = (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb';
  const stdout = await isTerminal(1);
  const stderr = await isTerminal(2);
  return { stdout, stderr, stdoutColour: stdout && colour, stderrColour: stderr && colour };
}

/** node:tty costs 2.5 ms to load, so it is asked only about what can be a terminal: a character device that is not /dev/null. */
async function isTerminal(fd: number): Promise<boolean> {
  try {
    const device = fs.fstatSync(fd);
    if (!device.isCharacterDevice() || isNull(device)) return false;
  } catch {
    return false;
  }
  const { isatty } = await import('node:tty');
  return isatty(fd);
}

/** Whether a write never waits for somebody at the other end, as it may in a pipe or on a terminal. */
export function takesAtOnce(fd: number): boolean {
  try {
    const stat = fs.fstatSync(fd);
    return stat.isFile() || isNull(stat);
  } catch {
    // The first write says what is wrong with it.
    return false;
  }
}

function isNull(device: fs.Stats): boolean {
  return (
    device.isCharacterDevice() && device.rdev === fs.statSync('/dev/null', { throwIfNoEntry: false })?.rdev
  );
}
