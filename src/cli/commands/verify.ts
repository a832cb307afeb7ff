import { type Verification, verifyImage } from '../../build/verify-image.js';
import { failureOf, type Problem } from '../../build/verify-report.js';
import { now } from '../../clock.js';
import type { Input, VERIFY_FLAGS } from '../command-flags.js';
import type { Context } from '../context.js';
import { counted, formatSize } from '../units.js';

/** `clip verify`: proves an index against its image and reads every file. Ends with the error of what does not hold. */
export async function run(context: Context, { args, flags }: Input<typeof VERIFY_FLAGS>): Promise<void> {
  const target = args[0]!;
  const started = now();
  const image = await context.open(target);
  const { observer, signal, stdout } = context;
  const { scanObserver } = context.openOptions;
  const result = await verifyImage(image, {
    observer,
    scanObserver,
    signal,
    ...(flags.json ? {} : { onProblem: (problem) => void stdout.print(`${problemLine(problem)}\n`) }),
  });
  const seconds = (now() - started) / 1000;
  const { index, indexPath } = image;
  if (flags.json) {
    const { problems, ...looked } = result;
    const about = { target, index: { path: indexPath, identity: index.identity } };
    const document = { schema: 1, ...about, ok: problems.length === 0, ...looked, problems, seconds };
    await stdout.print(`${JSON.stringify(document, null, 2)}\n`);
  } else {
    await stdout.print(summary(result));
  }
  const failure = failureOf(result.problems);
  if (failure) throw failure;
}

function problemLine({ code, about, layer, path, message }: Problem): string {
  const subject = [about, path ?? layer].filter((part) => part !== null).join(' ');
  return `${code} ${subject}: ${message}`;
}

function summary({ layers, names, files, bytes, problems }: Verification): string {
  const good = layers.filter(({ ok }) => ok).length;
  const read = `${counted(names, 'name')}, ${counted(files, 'file')} read (${formatSize(bytes)})`;
  const verdict = problems.length === 0 ? 'all holds' : counted(problems.length, 'problem');
  return `${good} of ${counted(layers.length, 'layer')} as the index says, ${read}: ${verdict}\n`;
}
