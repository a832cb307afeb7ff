import type { ImageDescription, ImageIndex } from '../format/image-index.js';
import type { Observer } from '../observer.js';
import type { ImageSource } from '../source/source.js';
import type { Findings, Problem } from './verify-report.js';

export interface VerifyOptions {
  observer: Observer;
  /** Sees what scanning the layers costs. */
  scanObserver: Observer;
  /** Told each problem as it is found. */
  onProblem?: (problem: Problem) => void;
  signal?: AbortSignal;
}

/** What the checks share. */
export interface Checking {
  index: ImageIndex;
  source: ImageSource;
  description: ImageDescription;
  findings: Findings;
  options: VerifyOptions;
}
