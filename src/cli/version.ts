import fs from 'node:fs';

/** Writes the version to stdout with no more loaded than that takes; resolves to the exit status. */
export async function printVersion(): Promise<number> {
  try {
    fs.writeSync(1, `${packageVersion()}\n`);
    return 0;
  } catch {
    // Told as any other command tells it.
    const { run } = await import('./run.js');
    return run(['--version']);
  }
}

/** The version in the package's own package.json. */
export function packageVersion(): string {
  const file = new URL('../../../package.json', import.meta.url);
  const { version } = JSON.parse(fs.readFileSync(file, 'utf8')) as { version: string };
  return version;
}
