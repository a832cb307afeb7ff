import type { Node } from '../tree/node.js';
import type { ReadContext } from './context.js';
import { type Piece, planPieces } from './plan.js';
import type { Strategy } from './strategy.js';

/** Files of more spans than this are not remembered; they are read as streams. */
const MAX_PIECES = 64;
/** A file's plan is remembered only if the index can give it in one step. */
const MAX_SIZE = 32 << 20;

type DataPiece = Exclude<Piece, { zeros: number }>;

/** Where a file's bytes lie: piece i holds the file's bytes from starts[i]. */
interface Remembered {
  starts: number[];
  pieces: DataPiece[];
}

export interface Peek {
  peek(node: Node, offset: number, length: number): Uint8Array | undefined;
  /** Looks up where the node's spans are, in the background, so that the next `peek` of this node object can answer. */
  remember(node: Node): void;
}

/** The fast path of warm reads: no promise, no index, no copy; a map lookup in the memory tier and a view. */
export function createPeek(context: ReadContext, strategy: Strategy): Peek {
  const plans = new WeakMap<Node, Remembered | 'pending'>();
  const { cache, observer } = context;
  const unit = strategy === 'layer' ? 'layer' : 'span';

  return {
    peek(node, offset, length) {
      const plan = plans.get(node);
      if (plan === undefined || plan === 'pending') return undefined;
      const i = lastAtOrBefore(plan.starts, offset);
      const piece = plan.pieces[i];
      const first = plan.starts[i];
      if (piece === undefined || first === undefined) return undefined;
      const start = piece.start + (offset - first);
      if (length === 0 || start + length > piece.end) return undefined;
      const value = cache.peek(piece.span.digest, piece.span.length);
      if (value === undefined) return undefined;
      const layer = context.index.layers[node.layer]?.digest ?? '';
      const key = unit === 'span' ? piece.span.digest : layer;
      observer.emit({ type: 'lookup', unit, outcome: 'memory', coalesced: false, layer, key });
      observer.emit({ type: 'read', bytes: length });
      return value.subarray(start, start + length);
    },
    remember(node) {
      if (strategy === 'naive' || node.entry.size === 0 || node.entry.size > MAX_SIZE || plans.has(node))
        return;
      plans.set(node, 'pending');
      planOf(context, node).then(
        (plan) => plan && plans.set(node, plan),
        () => {},
      );
    },
  };
}

/** The node's plan, or undefined when it has holes or too many pieces for the fast path. */
async function planOf(context: ReadContext, node: Node): Promise<Remembered | undefined> {
  const plan: Remembered = { starts: [], pieces: [] };
  let at = 0;
  for await (const piece of planPieces(context.index, node, { offset: 0, length: node.entry.size })) {
    if ('zeros' in piece || plan.pieces.length === MAX_PIECES) return undefined;
    plan.starts.push(at);
    plan.pieces.push(piece);
    at += piece.end - piece.start;
  }
  return plan;
}

function lastAtOrBefore(starts: readonly number[], offset: number): number {
  let i = starts.length - 1;
  while (i > 0 && (starts[i] as number) > offset) i--;
  return i;
}
