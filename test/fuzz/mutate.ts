import { crc32 } from 'node:zlib';
import type { Random } from '../../dev/random.ts';

const headerBytes = 19;
const checksumBytes = 4;

type Mutation = (packets: Buffer[], random: Random) => void;

/** One event of the log, as bytes of its own that may be changed. Its packet is the event behind a byte 0. */
function anEvent(packets: Buffer[], random: Random): { readonly at: number; readonly bytes: Buffer } {
  const at = random.int(packets.length);
  const bytes = Buffer.from(packets[at] ?? Buffer.alloc(1));
  packets[at] = bytes;
  return { at, bytes };
}

/** Somewhere in the event's body; in its header now and then. */
function somewhere(bytes: Buffer, random: Random): number {
  const from = random.chance(0.9) ? Math.min(1 + headerBytes, bytes.length - 1) : 0;
  return from + random.int(Math.max(1, bytes.length - from));
}

const flipBits: Mutation = (packets, random) => {
  const { bytes } = anEvent(packets, random);
  for (let i = random.int(4); i >= 0; i -= 1) {
    const at = somewhere(bytes, random);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.int(8));
  }
};

/** Numbers that lengths and counts break at. */
const edges = [0, 1, 0x7f, 0x80, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff] as const;

const setBytes: Mutation = (packets, random) => {
  const { bytes } = anEvent(packets, random);
  const from = somewhere(bytes, random);
  bytes.fill(random.pick(edges), from, Math.min(bytes.length, from + 1 + random.int(8)));
};

const truncate: Mutation = (packets, random) => {
  const { at, bytes } = anEvent(packets, random);
  packets[at] = bytes.subarray(0, 1 + random.int(bytes.length));
};

const extend: Mutation = (packets, random) => {
  const { at, bytes } = anEvent(packets, random);
  packets[at] = Buffer.concat([bytes, random.bytes(1 + random.int(40))]);
};

/** Bytes of one event in the middle of another. */
const splice: Mutation = (packets, random) => {
  const { at, bytes } = anEvent(packets, random);
  const { bytes: other } = anEvent(packets, random);
  const from = somewhere(other, random);
  const to = somewhere(bytes, random);
  const piece = other.subarray(from, from + random.int(60));
  packets[at] = Buffer.concat([
    bytes.subarray(0, to),
    piece,
    bytes.subarray(to + (random.chance(0.5) ? piece.length : 0)),
  ]);
};

const retype: Mutation = (packets, random) => {
  const { bytes } = anEvent(packets, random);
  if (bytes.length > 5)
    bytes[5] = random.chance(0.5) ? (random.pick(packets as [Buffer, ...Buffer[]])[5] ?? 0) : random.int(256);
};

const repeat: Mutation = (packets, random) => {
  const { at, bytes } = anEvent(packets, random);
  packets.splice(random.chance(0.5) ? at : random.int(packets.length), 0, bytes);
};

const drop: Mutation = (packets, random) => {
  packets.splice(random.int(packets.length), 1 + random.int(3));
};

const swap: Mutation = (packets, random) => {
  const { at, bytes } = anEvent(packets, random);
  const other = random.int(packets.length);
  packets[at] = packets[other] ?? bytes;
  packets[other] = bytes;
};

const mutations = [
  flipBits,
  flipBits,
  setBytes,
  setBytes,
  truncate,
  extend,
  splice,
  retype,
  repeat,
  drop,
  swap,
] as const;

/** The log with one to five things wrong. Lengths and checksums are mostly put right again: else nothing behind them would ever be reached. */
export function mutated(packets: readonly Buffer[], random: Random): Buffer[] {
  const from = random.int(packets.length);
  // The beginning of the log is the same: without it nothing is announced.
  const result = random.chance(0.5) ? [...packets] : [...packets.slice(0, 4), ...packets.slice(from)];
  for (let i = random.int(5); i >= 0 && result.length > 0; i -= 1) random.pick(mutations)(result, random);
  const mend = random.chance(0.9);
  return result.map((packet) => (mend && !packets.includes(packet) ? mended(packet) : packet));
}

function mended(packet: Buffer): Buffer {
  if (packet.length < 1 + headerBytes + checksumBytes) return packet;
  const bytes = Buffer.from(packet);
  bytes[0] = 0;
  bytes.writeUInt32LE(bytes.length - 1, 1 + 9);
  bytes.writeUInt32LE(crc32(bytes.subarray(1, -checksumBytes)), bytes.length - checksumBytes);
  return bytes;
}
