/**
 * nginx in front of a docker-registry, as many are run: TLS ends there, and blobs are redirected to another host that serves the
 * registry's files, knows ranges, and refuses an Authorization header as object stores do.
 */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeCertificate } from './certificate.js';
import type { DockerRegistry } from './docker-registry.js';
import { freePort, startServerProcess } from './server-process.js';

export interface Nginx {
  /** `127.0.0.1:PORT`. */
  host: string;
  certFile: string;
  stop(): Promise<void>;
}

export async function startNginx(registry: DockerRegistry, folder: string): Promise<Nginx> {
  const [port, store] = [await freePort(), await freePort()];
  const { certFile, keyFile } = await makeCertificate(folder);
  const tls = `ssl_certificate ${certFile}; ssl_certificate_key ${keyFile};`;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${join(folder, name)};`)
    .join(' ');
  const config = `
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    daemon off; master_process off; pid ${join(folder, 'nginx.pid')}; error_log ${join(folder, 'error.log')};
    events {}
    http {
      access_log off; ${temporary}
      server {
        listen 127.0.0.1:${port} ssl; ${tls}
        client_max_body_size 0;
        location ~ ^/v2/.+/blobs/(sha256:[0-9a-f]+)$ {
          if ($request_method = GET) { return 307 https://127.0.0.1:${store}/$1?X-Amz-Signature=secret; }
          proxy_pass http://${registry.host}; proxy_set_header Host $http_host;
        }
        location / { proxy_pass http://${registry.host}; proxy_set_header Host $http_host; }
      }
      server {
        listen 127.0.0.1:${store} ssl; ${tls}
        if ($http_authorization) { return 400; }
        location ~ ^/sha256:(..)(.*)$ { alias ${join(registry.data, 'docker/registry/v2/blobs/sha256')}/$1/$1$2/data; }
      }
    }`;
  const path = join(folder, 'nginx.conf');
  await writeFile(path, config);
  const server = await startServerProcess({ program: 'nginx', args: ['-c', path, '-p', folder], port });
  return {
    host: `127.0.0.1:${port}`,
    certFile,
    stop: () => server.stop(),
  };
}
