/** Query keys whose values are no secret. Everything else (tokens, signatures, keys) is hidden: an allow-list, so that a
 * presigned URL of a store nobody thought of is safe too. */
const SHOWN = new Set(['scope', 'service', 'digest', 'mount', 'from', 'n', 'last', 'artifactType']);

/** A URL as it may be printed: without user, password and fragment, and with unknown query values hidden. */
export function redactUrl(url: URL | string): string {
  const parsed = typeof url === 'string' ? tryParse(url) : url;
  if (parsed === undefined) return '(invalid URL)';
  const query = [...parsed.searchParams].map(([key, value]) => {
    const shown = SHOWN.has(key)
      ? encodeURIComponent(value).replace(/%(?:3A|2F|2C)/g, decodeURIComponent)
      : 'REDACTED';
    return `${encodeURIComponent(key)}=${shown}`;
  });
  return `${parsed.protocol}//${parsed.host}${parsed.pathname}${query.length === 0 ? '' : `?${query.join('&')}`}`;
}

function tryParse(url: string): URL | undefined {
  return URL.canParse(url) ? new URL(url) : undefined;
}
