import { BUG_HINT, ClipError, EXIT } from '../../errors.js';
import { escapeText } from '../../escape.js';
import { PLAIN, type Style } from './style.js';

/** What is printed of a failure, on stderr: `clip: message (CODE)`, a `hint:` line, a stack when `stack` asks for it. */
export function describeError(error: unknown, options: { stack?: boolean; style?: Style } = {}): string {
  const { stack = false, style = PLAIN } = options;
  const known = error instanceof ClipError;
  const message = known ? error.message : `unexpected error: ${messageOf(error)}`;
  const hint = known ? error.hint : BUG_HINT;
  let text = `${style.red('clip:')} ${escapeText(message)} (${known ? error.code : 'FAILED'})\n`;
  if (hint !== undefined) text += `${style.cyan('hint:')} ${escapeText(hint)}\n`;
  if (stack) text += stackOf(error);
  return text;
}

/** The exit status that a failure ends with. */
export function statusOf(error: unknown): number {
  return error instanceof ClipError ? error.exitStatus : EXIT.failed;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Stacks of an error and of its causes, each line escaped. */
function stackOf(error: unknown): string {
  let text = '';
  for (let at = error, depth = 0; at !== undefined && depth < 8; depth++) {
    const stack = at instanceof Error ? (at.stack ?? at.message) : String(at);
    const lines = stack.split('\n').map((line) => `    ${escapeText(line.trimStart())}\n`);
    text += (depth === 0 ? '' : '  caused by\n') + lines.join('');
    at = at instanceof Error ? at.cause : undefined;
  }
  return text;
}
