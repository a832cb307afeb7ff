import { createRequire } from 'node:module';
import type * as Aws4 from 'aws4';
import type { ConnectionOptions } from '../../http/options.js';
import type { HttpResponse } from '../../http/transport.js';
import type { RemoteEngine } from './engine.js';
import { createObjectRequests, readStart, readValue } from './http-requests.js';
import type { S3Settings } from './s3-settings.js';

/** The largest object that one PUT takes. */
const MAX_PUT = 5 * 1024 ** 3;
/** SHA-256 of nothing: the payload of GET and DELETE. */
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** S3-compatible object storage: `<prefix>/<key>`, requests signed with AWS Signature Version 4. */
export function createS3Engine(settings: S3Settings, connection: ConnectionOptions): RemoteEngine {
  const aws4 = createRequire(import.meta.url)('aws4') as typeof Aws4;
  const { base, region, sessionToken } = settings;
  const { accessKeyId, secretAccessKey } = settings;
  const credentials = { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) };
  const requests = createObjectRequests(connection);

  /** A value's key is its SHA-256, which is what the signature covers of the payload: nothing is hashed for it. */
  function signed(method: string, key: string, payload: string) {
    const url = new URL(key, base);
    const { headers = {} } = aws4.sign(
      {
        service: 's3',
        region,
        method,
        host: url.host,
        path: url.pathname,
        headers: {
          'X-Amz-Content-Sha256': payload,
          ...(method === 'PUT' && { 'Content-Type': 'application/octet-stream' }),
        },
        doNotEncodePath: true,
      },
      credentials,
    );
    const lower: Record<string, string> = {};
    for (const [name, value] of Object.entries(headers)) {
      if (name.toLowerCase() !== 'host') lower[name.toLowerCase()] = String(value);
    }
    return { url, headers: lower };
  }

  return {
    maxValue: MAX_PUT,
    async get(key, length, signal) {
      const response = await requests.get({ ...signed('GET', key, EMPTY), signal });
      if (response.status === 200) return readValue(response, length);
      const code = await errorCode(response);
      // Who may not list the bucket is told AccessDenied for a key that does not exist (S3 API, GetObject).
      if (response.status === 404 ? code !== 'NoSuchBucket' : code === 'AccessDenied') return undefined;
      throw refused('GET', response, code);
    },
    async put(key, value, signal) {
      const response = await requests.put({ ...signed('PUT', key, key), body: value, signal });
      if (response.status < 200 || response.status > 299) {
        throw refused('PUT', response, await errorCode(response));
      }
      await response.body.discard();
    },
    async drop(key, signal) {
      const response = await requests.delete({ ...signed('DELETE', key, EMPTY), signal });
      if (response.status > 299 && response.status !== 404) {
        throw refused('DELETE', response, await errorCode(response));
      }
      await response.body.discard();
    },
    close: requests.close,
  };
}

async function errorCode(response: HttpResponse): Promise<string> {
  return /<Code>([A-Za-z0-9.]{1,64})<\/Code>/.exec(await readStart(response))?.[1] ?? '';
}

function refused(method: string, { status }: HttpResponse, code: string): Error {
  return new Error(`it answers ${method} with status ${status}${code === '' ? '' : ` ${code}`}`);
}
