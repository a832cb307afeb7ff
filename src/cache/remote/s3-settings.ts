import { ClipError } from '../../errors.js';
import type { S3Address } from './address.js';

export interface S3Settings {
  /** The URL of the bucket's prefix, ending in a slash. */
  base: URL;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string | undefined;
}

/**
 * Endpoint, region and credentials, from the URL's options and the variables that all AWS tools know: AWS_ENDPOINT_URL_S3,
 * AWS_ENDPOINT_URL, AWS_REGION, AWS_DEFAULT_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. Throws ClipError USAGE.
 */
export function s3Settings(address: S3Address, env: NodeJS.ProcessEnv): S3Settings {
  const accessKeyId = env.AWS_ACCESS_KEY_ID ?? '';
  const secretAccessKey = env.AWS_SECRET_ACCESS_KEY ?? '';
  if (accessKeyId === '' || secretAccessKey === '') {
    throw new ClipError('USAGE', `${address.shown} needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`, {
      hint: 'eval "$(aws configure export-credentials --format env)" sets them from a profile or a role',
    });
  }
  const region = address.region || env.AWS_REGION || env.AWS_DEFAULT_REGION || 'us-east-1';
  if (!/^[a-z0-9-]{1,64}$/i.test(region)) throw new ClipError('USAGE', 'the S3 region is no valid name');
  const custom = address.endpoint || env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL;
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  const endpoint = parseEndpoint(custom || `https://s3.${region}.${domain}`);
  // A name with dots does not match the certificate of *.s3.….amazonaws.com, and servers of one's own rarely have a host per bucket.
  const pathStyle = address.pathStyle ?? (Boolean(custom) || address.bucket.includes('.'));
  const base = new URL(endpoint);
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  if (pathStyle) base.pathname += `${address.bucket}/`;
  else base.host = `${address.bucket}.${base.host}`;
  if (address.prefix !== '') base.pathname += `${address.prefix.split('/').map(encodeStrictly).join('/')}/`;
  const sessionToken = env.AWS_SESSION_TOKEN || undefined;
  return { base, region, accessKeyId, secretAccessKey, sessionToken };
}

function parseEndpoint(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url && url.search === '' && url.hash === '' && url.username === '' && url.password === '';
  if (plain && (url.protocol === 'https:' || url.protocol === 'http:')) return url;
  throw new ClipError('USAGE', 'the S3 endpoint is no http(s)://HOST[:PORT] URL', {
    hint: 'see AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL and ?endpoint= of the URL',
  });
}

/** As the canonical request of Signature Version 4 wants a path: RFC 3986's unreserved characters stay, all else is encoded. */
function encodeStrictly(segment: string): string {
  return encodeURIComponent(segment).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
