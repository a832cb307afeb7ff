import fs from 'node:fs';

/** Writes the version to stdout with no more loaded than that takes. False where it cannot: then it is a command as any other. */
export function printVersion(): boolean {
  try {
    fs.writeSync(1, `${packageVersion()}\n`);
    return true;
  } catch {
    return false;
  }
}

/** The version in the package's own package.json. */
export function packageVersion(): string {
  const file = new URL('../../../package.json', import.meta.url);
  const { version } = JSON.parse(fs.readFileSync(file, 'utf8')) as { version: string };
  return version;
}
