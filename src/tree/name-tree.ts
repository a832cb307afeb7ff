/**
 * A tree of names in columns: one slot per name in typed arrays instead of an object with a Map per directory, which takes a
 * third of the memory at a million names. Children are found through one hash table keyed by (parent, name) and listed
 * through sibling links. Removing a subtree costs as much as it holds, so all removals together cost no more than all
 * additions. The tree knows nothing of layers; its owner keeps further columns by slot number.
 */
import type { ByteString } from '../bytes.js';
import { ClipError } from '../errors.js';
import { escapeName } from '../escape.js';

/** Slot numbers are dense and never used twice; the root's is 0. */
export type Slot = number;
export const ROOT: Slot = 0;
export const NONE: Slot = -1;

export interface NameTreeLimits {
  /** Names ever added. */
  names: number;
  /** Bytes of a path, slashes included. */
  pathBytes: number;
}

export class NameTree {
  /** Slots in use so far, those of removed names included. */
  size = 1;
  private readonly limits: NameTreeLimits;
  private capacity = 1024;
  private parents = filled(1024);
  private first = filled(1024);
  private next = filled(1024);
  private previous = filled(1024);
  private chain = filled(1024);
  private hashes = filled(1024);
  private starts = filled(1024);
  private ends = filled(1024);
  private pathEnds = filled(1024);
  private buckets = filled(2048);
  /** The string that a name is a part of: usually a whole path that lives anyway. */
  private readonly texts: string[] = [''];

  constructor(limits: NameTreeLimits) {
    this.limits = limits;
    this.starts[ROOT] = 0;
    this.ends[ROOT] = 0;
    this.pathEnds[ROOT] = 0;
  }

  parent(slot: Slot): Slot {
    return this.parents[slot]!;
  }

  /** The first child, in no particular order; go on with `sibling`. */
  firstChild(slot: Slot): Slot {
    return this.first[slot]!;
  }

  sibling(slot: Slot): Slot {
    return this.next[slot]!;
  }

  name(slot: Slot): string {
    return this.texts[slot]!.slice(this.starts[slot]!, this.ends[slot]!);
  }

  /** Bytes of the path that leads to the slot. */
  pathLength(slot: Slot): number {
    return this.pathEnds[slot]!;
  }

  /** Byte order of two names. */
  compareNames(a: Slot, b: Slot): number {
    const textA = this.texts[a]!;
    const textB = this.texts[b]!;
    const startA = this.starts[a]!;
    const startB = this.starts[b]!;
    const lengthA = this.ends[a]! - startA;
    const lengthB = this.ends[b]! - startB;
    const shorter = Math.min(lengthA, lengthB);
    for (let i = 0; i < shorter; i++) {
      const difference = textA.charCodeAt(startA + i) - textB.charCodeAt(startB + i);
      if (difference !== 0) return difference;
    }
    return lengthA - lengthB;
  }

  /** The child of `parent` that is named text[start, end), or NONE. */
  find(parent: Slot, text: string, start: number, end: number): Slot {
    const hash = hashOf(parent, text, start, end);
    for (
      let slot = this.buckets[hash & (this.buckets.length - 1)]!;
      slot !== NONE;
      slot = this.chain[slot]!
    ) {
      if (
        this.hashes[slot] === hash &&
        this.parents[slot] === parent &&
        this.isNamed(slot, text, start, end)
      ) {
        return slot;
      }
    }
    return NONE;
  }

  /** Adds a child that is not there yet. Throws ClipError LIMIT. */
  add(parent: Slot, text: string, start: number, end: number): Slot {
    const pathEnd = this.pathEnds[parent]! + end - start + (parent === ROOT ? 0 : 1);
    if (pathEnd > this.limits.pathBytes) {
      const shown = escapeName(text.slice(0, 80) as ByteString);
      throw new ClipError(
        'LIMIT',
        `the image has a path longer than ${this.limits.pathBytes} bytes: ${shown}…`,
        { hint: 'no Linux could unpack it either: this is no ordinary image' },
      );
    }
    if (this.size >= this.limits.names) {
      throw new ClipError('LIMIT', `the image has more than ${this.limits.names} names`, {
        hint: 'this is no ordinary image; docs/security.md lists the limits',
      });
    }
    if (this.size === this.capacity) this.grow();
    const slot = this.size++;
    const hash = hashOf(parent, text, start, end);
    this.texts.push(text);
    this.starts[slot] = start;
    this.ends[slot] = end;
    this.pathEnds[slot] = pathEnd;
    this.parents[slot] = parent;
    this.hashes[slot] = hash;
    this.intoBucket(slot);
    const head = this.first[parent]!;
    this.next[slot] = head;
    if (head !== NONE) this.previous[head] = slot;
    this.first[parent] = slot;
    return slot;
  }

  /** Removes a name and all below it, calling `removed` for each slot. The root cannot be removed. */
  remove(slot: Slot, removed: (slot: Slot) => void): void {
    this.removeChildren(slot, removed);
    const before = this.previous[slot]!;
    const after = this.next[slot]!;
    if (before === NONE) this.first[this.parents[slot]!] = after;
    else this.next[before] = after;
    if (after !== NONE) this.previous[after] = before;
    this.forget(slot, removed);
  }

  /** Removes all below a slot, not the slot itself. */
  removeChildren(slot: Slot, removed: (slot: Slot) => void): void {
    // Post-order without a stack: descend to a leaf, drop it, go on with its sibling or its parent.
    let at = this.first[slot]!;
    while (at !== NONE) {
      const child = this.first[at]!;
      if (child !== NONE) {
        at = child;
        continue;
      }
      const parent = this.parents[at]!;
      const after = this.next[at]!;
      this.first[parent] = after;
      if (after !== NONE) this.previous[after] = NONE;
      this.forget(at, removed);
      at = after !== NONE ? after : parent === slot ? NONE : parent;
    }
  }

  private forget(slot: Slot, removed: (slot: Slot) => void): void {
    const bucket = this.hashes[slot]! & (this.buckets.length - 1);
    if (this.buckets[bucket] === slot) {
      this.buckets[bucket] = this.chain[slot]!;
    } else {
      let at = this.buckets[bucket]!;
      while (this.chain[at] !== slot) at = this.chain[at]!;
      this.chain[at] = this.chain[slot]!;
    }
    this.texts[slot] = '';
    removed(slot);
  }

  private isNamed(slot: Slot, text: string, start: number, end: number): boolean {
    const own = this.texts[slot]!;
    const from = this.starts[slot]!;
    if (this.ends[slot]! - from !== end - start) return false;
    for (let i = 0; i < end - start; i++) {
      if (own.charCodeAt(from + i) !== text.charCodeAt(start + i)) return false;
    }
    return true;
  }

  private intoBucket(slot: Slot): void {
    const bucket = this.hashes[slot]! & (this.buckets.length - 1);
    this.chain[slot] = this.buckets[bucket]!;
    this.buckets[bucket] = slot;
  }

  private grow(): void {
    this.capacity *= 2;
    this.parents = grown(this.parents, this.capacity);
    this.first = grown(this.first, this.capacity);
    this.next = grown(this.next, this.capacity);
    this.previous = grown(this.previous, this.capacity);
    this.chain = grown(this.chain, this.capacity);
    this.hashes = grown(this.hashes, this.capacity);
    this.starts = grown(this.starts, this.capacity);
    this.ends = grown(this.ends, this.capacity);
    this.pathEnds = grown(this.pathEnds, this.capacity);
    const old = this.buckets;
    this.buckets = filled(this.capacity * 2);
    // Chains hold only names that are still there; removed slots are in none.
    for (const head of old) {
      for (let slot = head, after: Slot; slot !== NONE; slot = after) {
        after = this.chain[slot]!;
        this.intoBucket(slot);
      }
    }
  }
}

/** Differs from run to run, so that no image can be made whose names all fall into one bucket. Order never depends on it. */
const SEED = Math.floor(Math.random() * 2 ** 32);

/** FNV-1a over the name, seeded with the parent, mixed so that the low bits can choose a bucket. */
function hashOf(parent: Slot, text: string, start: number, end: number): number {
  let hash = SEED ^ Math.imul(parent, 0x9e3779b1);
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x85ebca6b);
  return hash ^ (hash >>> 13);
}

/** A column whose every slot is NONE. */
export function filled(length: number): Int32Array {
  return new Int32Array(length).fill(NONE);
}

/** A longer column; what is new is NONE. */
export function grown(column: Int32Array, length: number): Int32Array {
  const longer = filled(length);
  longer.set(column);
  return longer;
}
