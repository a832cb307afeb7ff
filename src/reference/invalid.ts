import { ClipError } from '../errors.js';

/** Printable form of untrusted text in a message: JSON's escapes, cut at 200 characters. */
export function quote(text: string): string {
  const cut = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return JSON.stringify(cut).replace(/[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (c) => {
    return `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** What somebody typed, without a login that they put before a host: `user:password@host`. */
export function withoutLogin(text: string): string {
  return text.replace(/^((?:[^/@:=]*=)?(?:[a-z-]*:\/\/)?)[^@]*:.*@(?!sha[0-9]+:)/is, '$1…@');
}

/** INVALID_REFERENCE that says what is wrong where. */
export function invalidReference(text: string, problem: string, hint?: string): ClipError {
  const shown = quote(withoutLogin(text));
  return new ClipError('INVALID_REFERENCE', `invalid image reference ${shown}: ${problem}`, {
    hint: hint ?? 'write it as docker does: name:tag, host:port/path/name:tag, or name@sha256:…',
  });
}
