import type { Random } from './random.js';

const INTERESTING = [0, 1, 0x7f, 0x80, 0xff, 0x1f, 0x20, 0x2f, 0x30, 0x37];

/** One to five small changes, blind to what the bytes mean. At most `most` bytes come out. */
export function mutateBytes(input: Uint8Array, other: Uint8Array, random: Random, most = 65536): Buffer {
  let bytes: Buffer = Buffer.from(input);
  for (let n = 1 + random.below(5); n > 0; n--) bytes = change(bytes, other, random);
  return bytes.subarray(0, most);
}

function change(bytes: Buffer, other: Uint8Array, random: Random): Buffer {
  const at = random.below(bytes.length + 1);
  const length = 1 + random.below(random.pick([4, 16, 64, 600]));
  const before = bytes.subarray(0, at);
  switch (bytes.length === 0 ? 5 : random.below(10)) {
    case 0:
    case 1:
      bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
      return bytes;
    case 2:
      bytes[random.below(bytes.length)] = random.oneIn(2) ? random.pick(INTERESTING) : random.below(256);
      return bytes;
    case 3:
      bytes[random.below(bytes.length)]! += random.below(9) - 4;
      return bytes;
    case 4:
      return Buffer.concat([before, bytes.subarray(at + length)]);
    case 5:
      return Buffer.concat([before, random.bytes(random.below(8)), bytes.subarray(at)]);
    case 6: {
      const from = random.below(bytes.length);
      return Buffer.concat([before, bytes.subarray(from, from + length), bytes.subarray(at)]);
    }
    case 7: {
      const from = random.below(other.length);
      const rest = random.oneIn(2) ? bytes.subarray(at) : bytes.subarray(at + length);
      return Buffer.concat([before, other.subarray(from, from + length), rest]);
    }
    case 8:
      bytes.fill(random.pick(INTERESTING), at, Math.min(bytes.length, at + length));
      return bytes;
    default:
      return random.oneIn(3) ? Buffer.concat([before, other.subarray(random.below(other.length))]) : before;
  }
}
