/**
 * Which proxy a request goes through, by the variables that curl and Go's programs read: HTTPS_PROXY, HTTP_PROXY and NO_PROXY, in
 * lower case first. Loopback is never proxied (golang.org/x/net/http/httpproxy).
 */

import { BlockList, isIP } from 'node:net';
import { ClipError } from '../errors.js';
import { isLoopback } from './hosts.js';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ProxyAddress {
  /** With user and password, if there are any: never to be printed. */
  url: URL;
  /** `host:port`, for messages. */
  shown: string;
}

/** The proxy for a URL's origin, or undefined for a direct connection. Throws USAGE for a proxy that is no URL. */
export function proxyFor(target: URL, environment: Environment): ProxyAddress | undefined {
  const name = target.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const text = variable(environment, name);
  if (text === '' || isLoopback(target.hostname)) return undefined;
  if (isExempt(target, variable(environment, 'NO_PROXY'))) return undefined;
  const url = parseProxy(text);
  if (url === undefined) {
    // The value may hold a password, so it is not shown.
    throw new ClipError('USAGE', `${name} is no address of a proxy`, {
      hint: 'write http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT, or unset it',
    });
  }
  return { url, shown: url.host };
}

function variable(environment: Environment, name: string): string {
  return (environment[name.toLowerCase()] || environment[name] || '').trim();
}

function parseProxy(text: string): URL | undefined {
  const full = text.includes('://') ? text : `http://${text}`;
  if (!URL.canParse(full)) return undefined;
  const url = new URL(full);
  if (url.protocol === 'socks5h:') return new URL(`socks5${full.slice('socks5h'.length)}`);
  return ['http:', 'https:', 'socks5:'].includes(url.protocol) && url.hostname !== '' ? url : undefined;
}

/**
 * Whether NO_PROXY names the host: `*`, a domain (and all below it), `.domain` (only below it), an address or a range of addresses,
 * each with a port or for all.
 */
export function isExempt(target: URL, list: string): boolean {
  const host = target.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = target.port || (target.protocol === 'https:' ? '443' : '80');
  return list
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => matches(entry.toLowerCase(), host, port));
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return inRange(entry, host);
  const [, bracketed, plain, only] = /^(?:\[([^\]]+)\]|([^:]*))(?::([0-9]+))?$/.exec(entry) ?? [];
  const name = bracketed ?? plain ?? entry;
  if (only !== undefined && only !== port) return false;
  if (isIP(name) !== 0 || isIP(host) !== 0) return sameAddress(name, host);
  const suffix = name.replace(/^\*?\./, '.');
  if (suffix.startsWith('.')) return host.endsWith(suffix);
  return host === suffix || host.endsWith(`.${suffix}`);
}

function sameAddress(a: string, b: string): boolean {
  const family = isIP(a);
  if (family === 0 || family !== isIP(b)) return false;
  return inRange(`${a}/${family === 4 ? 32 : 128}`, b);
}

function inRange(range: string, host: string): boolean {
  const [address = '', bits = ''] = range.split('/');
  const family = isIP(address);
  if (family === 0 || isIP(host) !== family || !/^[0-9]{1,3}$/.test(bits)) return false;
  if (Number(bits) > (family === 4 ? 32 : 128)) return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const block = new BlockList();
  block.addSubnet(address, Number(bits), type);
  return block.check(host, type);
}
