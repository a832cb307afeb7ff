/** What a request tells a server and nobody else. A server's words are shown to people, and it may repeat it in them. */

/** Values of a form that are no secret; everything else is, as in redact-url.ts. */
const SHOWN = new Set(['grant_type', 'client_id', 'scope', 'service']);

/** A function that gives a text back unless a secret of the request is in it, as it was sent, decoded or escaped. */
export function secretHider({
  headers,
  body,
}: {
  headers: Readonly<Record<string, string>>;
  body?: Uint8Array | undefined;
}): (text: string) => string | undefined {
  return (text) => {
    const secrets = [...headerSecrets(headers.authorization), ...formSecrets(headers['content-type'], body)];
    const forms = secrets.flatMap((secret) => [
      secret,
      encodeURIComponent(secret),
      JSON.stringify(secret).slice(1, -1),
    ]);
    return forms.some((form) => form !== '' && text.includes(form)) ? undefined : text;
  };
}

function headerSecrets(authorization = ''): string[] {
  const [scheme = '', given = ''] = authorization.split(' ', 2);
  if (scheme !== 'Basic') return [given];
  const decoded = Buffer.from(given, 'base64').toString('utf8');
  return [given, decoded.slice(decoded.indexOf(':') + 1)];
}

function formSecrets(type: string | undefined, body: Uint8Array | undefined): string[] {
  if (type !== 'application/x-www-form-urlencoded' || body === undefined) return [];
  const form = new URLSearchParams(Buffer.from(body).toString('utf8'));
  return [...form].filter(([key]) => !SHOWN.has(key)).map(([, value]) => value);
}
