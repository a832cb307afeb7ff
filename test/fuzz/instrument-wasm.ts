/**
 * Edge counters for a WebAssembly module, put into its binary after the compiler is done, so that what is tested is the code that
 * ships. A counter is raised at the start of every function, loop and arm of an if, behind every branch that was not taken
 * and behind every block's end. Code addresses in WebAssembly are nesting depths, not offsets, so bytes may go in anywhere
 * between two instructions.
 *
 * The counters are bytes in one more page at the end of the memory; the module must have a memory of its own with a fixed size.
 */

const PAGE = 65536;
const SECTION = { memory: 5, code: 10 } as const;

export interface Instrumented {
  bytes: Uint8Array;
  /** Address of the first counter, and how many there are. */
  counters: number;
  edges: number;
}

/** Throws Error for what is no such module. */
export function instrumentWasm(module: Uint8Array): Instrumented {
  const out: number[] = [...module.subarray(0, 8)];
  const reader = createReader(module, 8);
  let counters = 0;
  let edges = 0;
  while (reader.at < module.length) {
    const id = reader.byte();
    const end = reader.leb() + reader.at;
    let body = [...module.subarray(reader.at, end)];
    if (id === SECTION.memory) {
      const pages = pagesOf(module.subarray(reader.at, end));
      counters = pages * PAGE;
      body = [1, 1, ...leb(pages + 1), ...leb(pages + 1)];
    } else if (id === SECTION.code) {
      ({ body, edges } = instrumentCode(module, { start: reader.at, counters }));
    }
    out.push(id, ...leb(body.length));
    for (const byte of body) out.push(byte);
    reader.at = end;
  }
  if (counters === 0 || edges === 0 || edges > PAGE) throw new Error('the module cannot be instrumented');
  return { bytes: Uint8Array.from(out), counters, edges };
}

function pagesOf(section: Uint8Array): number {
  const reader = createReader(section, 0);
  const count = reader.leb();
  const hasMost = reader.byte();
  const least = reader.leb();
  if (count !== 1 || hasMost !== 1 || reader.leb() !== least) throw new Error('a memory that may grow');
  return least;
}

function instrumentCode(module: Uint8Array, { start, counters }: { start: number; counters: number }) {
  const reader = createReader(module, start);
  const functions = reader.leb();
  const body = [...leb(functions)];
  let edges = 0;
  const count = (): number[] => {
    const address = leb(counters + edges++, true);
    // i32.const a, i32.const a, i32.load8_u, i32.const 1, i32.add, i32.store8
    return [0x41, ...address, 0x41, ...address, 0x2d, 0, 0, 0x41, 1, 0x6a, 0x3a, 0, 0];
  };
  for (let i = 0; i < functions; i++) {
    const end = reader.leb() + reader.at;
    const from = reader.at;
    for (let groups = reader.leb(); groups > 0; groups--) {
      reader.leb();
      reader.byte();
    }
    const code = [...module.subarray(from, reader.at), ...count()];
    while (reader.at < end) {
      const at = reader.at;
      const opcode = reader.byte();
      skipImmediates(reader, opcode);
      for (let copied = at; copied < reader.at; copied++) code.push(module[copied]!);
      const isEdge = EDGES.has(opcode) && reader.at < end;
      if (isEdge) code.push(...count());
    }
    body.push(...leb(code.length));
    for (const byte of code) body.push(byte);
  }
  return { body, edges };
}

/** loop, if, else, end, br_if. */
const EDGES: ReadonlySet<number> = new Set([0x03, 0x04, 0x05, 0x0b, 0x0d]);

interface Reader {
  at: number;
  byte(): number;
  /** LEB128, at most 32 bits unsigned; also passes over signed and longer ones. */
  leb(): number;
}

function createReader(bytes: Uint8Array, at: number): Reader {
  return {
    at,
    byte() {
      return bytes[this.at++]!;
    },
    leb() {
      let value = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = this.byte();
        if (shift < 32) value = (value | ((byte & 0x7f) << shift)) >>> 0;
        if (byte < 0x80) return value;
      }
    },
  };
}

/** `signed`: as i32.const wants it. */
function leb(value: number, signed = false): number[] {
  const bytes: number[] = [];
  for (;;) {
    const byte = value & 0x7f;
    value >>>= 7;
    if (value === 0 && !(signed && byte & 0x40)) return [...bytes, byte];
    bytes.push(byte | 0x80);
  }
}

/** WebAssembly core specification 2.0, section 5.4. */
function skipImmediates(reader: Reader, opcode: number): void {
  if (opcode >= 0x02 && opcode <= 0x04) reader.leb();
  else if (opcode === 0x0c || opcode === 0x0d || opcode === 0x10) reader.leb();
  else if (opcode === 0x0e) for (let n = reader.leb() + 1; n > 0; n--) reader.leb();
  else if (opcode === 0x11) skip(reader, 2);
  else if (opcode === 0x1c) for (let n = reader.leb(); n > 0; n--) reader.byte();
  else if (opcode >= 0x20 && opcode <= 0x26) reader.leb();
  else if (opcode >= 0x28 && opcode <= 0x3e) skip(reader, 2);
  else if (opcode === 0x3f || opcode === 0x40) reader.byte();
  else if (opcode === 0x41 || opcode === 0x42) reader.leb();
  else if (opcode === 0x43) reader.at += 4;
  else if (opcode === 0x44) reader.at += 8;
  else if (opcode === 0xfc) skipBulk(reader, reader.leb());
  else if (opcode === 0xfd) skipVector(reader, reader.leb());
  else if (opcode > 0xc4 || (opcode > 0x11 && opcode < 0x1a) || (opcode > 0x05 && opcode < 0x0b))
    throw new Error(`an instruction that is not known: ${opcode}`);
}

function skipBulk(reader: Reader, operation: number): void {
  if (operation < 8) return;
  if (operation === 10) skip(reader, 2);
  else if (operation === 11) skip(reader, 1);
  else throw new Error(`a bulk operation that is not known: ${operation}`);
}

function skipVector(reader: Reader, operation: number): void {
  if (operation <= 11 || operation === 92 || operation === 93) skip(reader, 2);
  else if (operation === 12 || operation === 13) reader.at += 16;
  else if (operation >= 21 && operation <= 34) reader.byte();
  else if (operation >= 84 && operation <= 91) {
    skip(reader, 2);
    reader.byte();
  }
}

function skip(reader: Reader, numbers: number): void {
  for (; numbers > 0; numbers--) reader.leb();
}
