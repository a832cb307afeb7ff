/**
 * Which CAs a server may be signed by: those of its certs.d directory, Node's own with NODE_EXTRA_CA_CERTS, the system's. They are
 * tried in this order, the next only when a server's certificate is signed by none of these: parsing the system's 140 certificates
 * costs 35 ms, which almost nobody needs to pay.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { certificateFolders, readHostCertificates } from './certs-d.js';
import { errorCode } from './errors.js';
import type { ConnectionOptions } from './options.js';
import type { Environment } from './proxy.js';

export interface TlsSettings {
  rejectUnauthorized: boolean;
  /** PEM; Node's own where it is left out. */
  ca?: readonly (string | Buffer)[];
  cert?: Buffer[];
  key?: Buffer[];
}

/** Where distributions keep all CAs in one file: Debian, Fedora, openSUSE, Alpine. */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];
const UNKNOWN_CA =
  /^(?:UNABLE_TO_GET_ISSUER_CERT(?:_LOCALLY)?|UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT)$/;

/** Settings to try one after the other. Throws IO for certificates that cannot be read. */
export function* tlsSettings(url: URL, options: ConnectionOptions): Generator<TlsSettings, void, undefined> {
  const environment = options.environment ?? process.env;
  const own = readHostCertificates(url, certificateFolders(environment));
  const client = own?.cert === undefined ? {} : { cert: own.cert, key: own.key! };
  if (options.insecure) return yield { rejectUnauthorized: false, ...client };
  if (own !== undefined && own.ca.length > 0) yield { rejectUnauthorized: true, ca: own.ca, ...client };
  yield { rejectUnauthorized: true, ...client };
  const system = systemCas(environment);
  if (system.length > 0) yield { rejectUnauthorized: true, ca: system, ...client };
}

/** Whether a failure says that the CAs were not the right ones, and others may be. */
export function isUnknownCa(error: unknown): boolean {
  return UNKNOWN_CA.test(errorCode(error));
}

/** SSL_CERT_FILE and SSL_CERT_DIR take the place of the system's, as in OpenSSL and Go. */
function systemCas(environment: Environment): string[] {
  const { SSL_CERT_FILE, SSL_CERT_DIR } = environment;
  const folders = SSL_CERT_DIR ? SSL_CERT_DIR.split(':').filter((folder) => folder !== '') : [];
  if (SSL_CERT_FILE || folders.length > 0) {
    const file = SSL_CERT_FILE ? read(SSL_CERT_FILE) : [];
    return [...file, ...folders.flatMap(readFolder)];
  }
  for (const path of BUNDLES) {
    const found = read(path);
    if (found.length > 0) return found;
  }
  return [];
}

function readFolder(folder: string): string[] {
  try {
    return readdirSync(folder).flatMap((name) => read(join(folder, name)));
  } catch {
    return [];
  }
}

/** The text of a PEM file with certificates in it; what is something else is passed over, as OpenSSL does. */
function read(path: string): string[] {
  try {
    const text = readFileSync(path, 'utf8');
    return text.includes('-----BEGIN') ? [text] : [];
  } catch {
    return [];
  }
}
