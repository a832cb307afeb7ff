import { ClipError } from '../../errors.js';

/** Where a remote tier is, taken apart. `shown` may be printed: it has neither user nor password. */
export type RemoteAddress = RedisAddress | S3Address | HttpAddress;

export interface RedisAddress {
  kind: 'redis';
  nodes: { host: string; port: number }[];
  tls: boolean;
  /** Known to be a cluster; a single address may turn out to be one. */
  cluster: boolean;
  db: number;
  username: string | undefined;
  password: string | undefined;
  shown: string;
}

export interface S3Address {
  kind: 's3';
  bucket: string;
  /** Empty, or without slashes at its ends. */
  prefix: string;
  /** From the URL's query; the AWS variables give what is missing. */
  region: string | undefined;
  endpoint: string | undefined;
  pathStyle: boolean | undefined;
  shown: string;
}

export interface HttpAddress {
  kind: 'http';
  /** Ends in a slash; no user, password, query or fragment. */
  base: URL;
  authorization: string | undefined;
  shown: string;
}

const HINT =
  'redis://[USER:PASSWORD@]HOST[:PORT][,HOST…][/DB], rediss://…, s3://BUCKET[/PREFIX] or http(s)://HOST/PATH';

/**
 * Takes the URL of a remote cache apart. Throws ClipError USAGE, which never repeats the URL, since that may hold a password.
 */
export function parseRemoteAddress(url: string): RemoteAddress {
  const scheme = /^([a-z0-9+]+):\/\//i.exec(url)?.[1]?.toLowerCase();
  switch (scheme) {
    case 'redis':
    case 'rediss':
    case 'redis+cluster':
    case 'rediss+cluster':
      return parseRedis(url, scheme);
    case 's3':
      return parseS3(url);
    case 'http':
    case 'https':
      return parseHttp(url);
    default:
      throw invalid(
        scheme === undefined ? 'it is no URL' : `${scheme}:// is no kind of cache that clip knows`,
      );
  }
}

function parseRedis(url: string, scheme: string): RedisAddress {
  const match = /^[a-z+]+:\/\/(?:([^@/]*)@)?([^@/?#]+)(?:\/([0-9]{1,5})?)?$/i.exec(url);
  if (!match) throw invalid('it is not redis://HOST[:PORT][/DB]; a password needs its @ : / percent-encoded');
  const [, login, hosts = '', db = '0'] = match;
  const nodes = hosts.split(',').map(parseNode);
  const cluster = scheme.endsWith('+cluster') || nodes.length > 1;
  if (cluster && db !== '0') throw invalid('a cluster has no database but 0');
  const colon = login?.indexOf(':') ?? -1;
  const username = login === undefined ? '' : decode(colon < 0 ? login : login.slice(0, colon));
  const password = login === undefined || colon < 0 ? '' : decode(login.slice(colon + 1));
  return {
    kind: 'redis',
    nodes,
    tls: scheme.startsWith('rediss'),
    cluster,
    db: Number(db),
    username: username || undefined,
    password: password || undefined,
    shown: `${scheme}://${hosts}${db === '0' ? '' : `/${db}`}`,
  };
}

function parseNode(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::([0-9]{1,5}))?$/i.exec(text);
  const port = Number(match?.[3] ?? 6379);
  if (!match || port === 0 || port > 65_535) throw invalid('a host in it is not HOST[:PORT]');
  return { host: match[1] ?? match[2] ?? '', port };
}

function parseS3(url: string): S3Address {
  const parsed = parse(url);
  const bucket = parsed.hostname;
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket) || parsed.port !== '') {
    throw invalid('its bucket is no valid name');
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw invalid('credentials of S3 come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY');
  }
  for (const key of parsed.searchParams.keys()) {
    if (!['region', 'endpoint', 'path-style'].includes(key)) throw invalid('its query has an unknown option');
  }
  const pathStyle = parsed.searchParams.get('path-style');
  if (pathStyle !== null && pathStyle !== 'true' && pathStyle !== 'false') {
    throw invalid('path-style is true or false');
  }
  const prefix = decode(parsed.pathname).replace(/^\/+|\/+$/g, '');
  return {
    kind: 's3',
    bucket,
    prefix,
    region: parsed.searchParams.get('region') ?? undefined,
    endpoint: parsed.searchParams.get('endpoint') ?? undefined,
    pathStyle: pathStyle === null ? undefined : pathStyle === 'true',
    shown: `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`,
  };
}

function parseHttp(url: string): HttpAddress {
  const parsed = parse(url);
  if (parsed.search !== '' || parsed.hash !== '') throw invalid('it has a query or a fragment');
  const { username, password } = parsed;
  parsed.username = '';
  parsed.password = '';
  if (!parsed.pathname.endsWith('/')) parsed.pathname += '/';
  const login = `${decode(username)}:${decode(password)}`;
  return {
    kind: 'http',
    base: parsed,
    authorization: login === ':' ? undefined : `Basic ${Buffer.from(login).toString('base64')}`,
    shown: parsed.href,
  };
}

function parse(url: string): URL {
  if (!URL.canParse(url)) throw invalid('it is no URL');
  return new URL(url);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid('a % in it is not followed by two hex digits');
  }
}

function invalid(why: string): ClipError {
  return new ClipError('USAGE', `the URL of the remote cache cannot be used: ${why}`, { hint: HINT });
}
