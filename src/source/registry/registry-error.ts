/** A registry's refusals (distribution-spec § Error Codes) as ClipErrors: its own `CODE: message`, and what to do. */

import { ClipError } from '../../errors.js';
import { redactUrl } from '../../http/redact-url.js';
import { MAX_RETRY_AFTER, parseRetryAfter } from '../../http/retry.js';
import type { HttpResponse } from '../../http/transport.js';

const MAX_ERROR_BODY = 16 << 10;
/** Milliseconds that its words are waited for. */
const MAX_WAIT = 2000;
const MAX_MESSAGE = 300;

/** Consumes the response. `what` names the thing that was asked for, `login` the registry to log in to. */
export async function registryError(
  response: HttpResponse,
  names: { what: string; login: string },
): Promise<ClipError> {
  const body = await response.body.start(MAX_ERROR_BODY, MAX_WAIT);
  const said = describe(body.toString('utf8'), response);
  const suffix = said === undefined ? '' : `: ${said}`;
  const { status } = response;
  switch (status) {
    case 401:
      return new ClipError('UNAUTHORIZED', `${names.what}: the registry wants a login${suffix}`, {
        hint: loginHint(names.login),
      });
    case 403:
      return new ClipError('DENIED', `${names.what}: access denied${suffix}`, {
        hint: loginHint(names.login),
      });
    case 404:
      return new ClipError('NOT_FOUND', `${names.what} not found${suffix}`, {
        hint: 'check the name and the tag; a private image may need a login',
      });
    case 429:
      return new ClipError('REGISTRY', `${names.what}: too many requests${suffix}`, {
        hint: rateHint(response),
      });
    default: {
      const where = redactUrl(response.url);
      return new ClipError('REGISTRY', `${names.what}: ${where} answered with status ${status}${suffix}`, {
        hint: status >= 500 ? 'the registry has a problem; try again later' : 'is this a registry?',
      });
    }
  }
}

export function loginHint(registry: string): string {
  const host = registry === 'docker.io' ? '' : ` ${registry}`;
  return `log in (docker login${host}), or set CLIP_USERNAME and CLIP_PASSWORD`;
}

function rateHint(response: HttpResponse): string {
  const asked = parseRetryAfter(response.headers['retry-after']);
  if (asked === undefined || asked <= MAX_RETRY_AFTER)
    return 'try again later; a login often raises the limit';
  return `the registry asks to wait ${Math.ceil(asked / 1000)} s; a login often raises the limit`;
}

/** `CODE: message; CODE: message`, cut and on one line; undefined if the body is not the spec's, or tells a secret. */
function describe(body: string, { hideSecrets }: HttpResponse): string | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return undefined;
  }
  const errors = (parsed as { errors?: unknown } | null)?.errors;
  if (!Array.isArray(errors)) return undefined;
  const texts = errors.slice(0, 3).map((error: unknown) => {
    const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
    return [code, message].filter((part) => typeof part === 'string' && part !== '').join(': ');
  });
  const text = texts.filter((part) => part !== '').join('; ');
  const shown = hideSecrets(text);
  return shown ? oneLine(shown) : undefined;
}

function oneLine(text: string): string {
  const clean = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim();
  return clean.length > MAX_MESSAGE ? `${clean.slice(0, MAX_MESSAGE)}…` : clean;
}
