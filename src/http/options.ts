export interface ConnectionOptions {
  /** Speak HTTP, not HTTPS, to the registry. Loopback registries are spoken to in HTTP without it. */
  plainHttp: boolean;
  /** Do not verify TLS certificates. */
  insecure: boolean;
  connectTimeout: number;
  headersTimeout: number;
  idleTimeout: number;
  /** Connections to one server at most; default 8: enough for parallel spans, few enough not to be taken for an attack. */
  connections?: number;
  /** Attempts in all for what is safe to repeat; at least 1. */
  tries: number;
  /** First delay between attempts, milliseconds; doubles each time, with jitter. Default 250. */
  retryDelay?: number;
  /** Over HTTPS where the server speaks it, else over HTTP: what registries.conf calls insecure. */
  plainFallback?: boolean;
  /** Keep bearer tokens for the next process; see source/credentials/kept-tokens.ts. */
  keepToken?: boolean;
  /** `[REGISTRY=]URL`: asked before the registry; see `parseMirror`. */
  mirrors?: readonly string[];
  /** Where proxies, CAs and configuration files are looked up; default the process's. */
  environment?: Readonly<Record<string, string | undefined>>;
}

export const DEFAULT_CONNECTION: ConnectionOptions = {
  plainHttp: false,
  insecure: false,
  connectTimeout: 5000,
  headersTimeout: 10_000,
  idleTimeout: 10_000,
  tries: 3,
};
