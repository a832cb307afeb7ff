import { ClipError } from '../../errors.js';
import { quote, withoutLogin } from '../../reference/invalid.js';

export interface Mirror {
  /** Registry whose images it has; Docker Hub's where none is named. */
  registry: string;
  /** `host[:port][/path…]`; the repository follows. */
  location: string;
  /** Undefined where no scheme was given: as the registry itself would be spoken to. */
  plainHttp: boolean | undefined;
}

/**
 * `[REGISTRY=]URL`. Without a registry it is a mirror of Docker Hub, as docker's `registry-mirrors` are: a name such as
 * `library/debian` means something else in every registry. Throws USAGE.
 */
export function parseMirror(given: string): Mirror {
  const [, registry = 'docker.io', address = ''] = /^(?:([A-Za-z0-9.:[\]_-]+)=)?(.*)$/s.exec(given) ?? [];
  const hasScheme = /^https?:\/\//.test(address);
  const full = hasScheme ? address : `https://${address}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (
    url === undefined ||
    (!hasScheme && address.includes('://')) ||
    url.hostname === '' ||
    url.hostname.includes('=') ||
    url.search !== '' ||
    url.hash !== '' ||
    url.username !== ''
  ) {
    throw new ClipError('USAGE', `${quote(withoutLogin(given))} is no mirror`, {
      hint: 'write --mirror https://HOST[:PORT][/PATH] for Docker Hub, --mirror REGISTRY=URL for another',
    });
  }
  return {
    registry: registry === 'index.docker.io' ? 'docker.io' : registry,
    location: `${url.host}${url.pathname.replace(/\/+$/, '')}`,
    plainHttp: hasScheme ? url.protocol === 'http:' : undefined,
  };
}
