/**
 * Coverage of the JavaScript: V8's own precise block coverage, through an inspector session in the same process. Taking it costs about
 * a millisecond, so it is taken once for a batch of executions, and one by one only for a batch that found something.
 */
import { readFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { fileURLToPath } from 'node:url';

interface Range {
  startOffset: number;
  endOffset: number;
  count: number;
}

interface Script {
  url: string;
  functions: { ranges: Range[] }[];
}

export interface JsCoverage {
  /** What ran since the last call: for each file, one byte a character of its source, 1 where it ran. Valid until the next call. */
  take(): ReadonlyMap<string, Uint8Array>;
  stop(): void;
}

/** `code`: URLs of folders (ending in `/`) and files. */
export function startJsCoverage(code: readonly string[]): JsCoverage {
  const session = new Session();
  session.connect();
  const post = (method: string, parameters: object = {}): unknown => {
    let answer: unknown;
    let failure: Error | null = null;
    // The session is in this thread: the callback runs before post returns.
    session.post(method, parameters, (error: Error | null, result: unknown) => {
      failure = error;
      answer = result;
    });
    if (failure !== null) throw new Error(`${method}: ${JSON.stringify(failure)}`);
    return answer;
  };
  post('Profiler.enable');
  post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  const wanted = new Map<string, boolean>();
  const isOurs = (url: string): boolean => {
    let ours = wanted.get(url);
    if (ours === undefined) {
      ours = code.some((prefix) => (prefix.endsWith('/') ? url.startsWith(prefix) : url === prefix));
      wanted.set(url, ours);
    }
    return ours;
  };
  const maps = new Map<string, Uint8Array>();
  const taken = new Map<string, Uint8Array>();
  return {
    take() {
      taken.clear();
      const { result } = post('Profiler.takePreciseCoverage') as { result: Script[] };
      for (const { url, functions } of result) {
        if (!isOurs(url)) continue;
        let map = maps.get(url);
        if (map === undefined) {
          map = new Uint8Array(readFileSync(fileURLToPath(url), 'utf8').length);
          maps.set(url, map);
        }
        map.fill(0);
        // Outer functions and blocks come before what lies in them.
        for (const { ranges } of functions)
          for (const { startOffset, endOffset, count } of ranges)
            map.fill(count > 0 ? 1 : 0, startOffset, endOffset);
        taken.set(url, map);
      }
      return taken;
    },
    stop() {
      post('Profiler.stopPreciseCoverage');
      session.disconnect();
    },
  };
}
