/** Milliseconds that what lingers may hold up the end of a command. */
const LINGER = 100;

/**
 * Where bin/clip.js hands over. Start-up time is a budget (docs/cli.md): this file imports nothing, and answers `--version`
 * without anything else being loaded. `onWasm` is called before WebAssembly is compiled.
 */
export async function main(argv: readonly string[], onWasm?: () => void): Promise<void> {
  const args = argv.slice(2);
  if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
    const { printVersion } = await import('./version.js');
    if (printVersion()) return;
  }
  if (onWasm) (await import('../before-wasm.js')).beforeWasm(onWasm);
  const { run } = await import('./run.js');
  const status = await run(args);
  // Not at once by `process.exit`: Node would wait for V8's threads, and one of them may wait for this thread to collect garbage, for good
  // (seen with Node 26). But sockets and timers that linger must not hold up a command that is done.
  process.exitCode = status;
  setTimeout(() => process.exit(status), LINGER).unref();
}
