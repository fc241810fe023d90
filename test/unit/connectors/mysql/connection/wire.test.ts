import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Wire } from '../../../../../connectors/mysql/connection/wire.ts';
import { framed, pair } from './socket-pair.ts';

const never = new AbortController().signal;

describe('packets', () => {
  it('are the same however the bytes arrive', async () => {
    const packets = fc.array(fc.uint8Array({ maxLength: 400 }), { minLength: 1, maxLength: 20 });
    const cuts = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(packets, cuts, async (sent, lengths) => {
        await using ends = await pair();
        const read = readPackets(ends.wire, sent.length);
        for (const piece of pieces(Buffer.concat(sent.map(framed)), lengths)) {
          ends.server.write(piece);
          await new Promise(setImmediate);
        }
        expect((await read).map((packet) => packet.toString('hex'))).toEqual(
          sent.map((packet) => Buffer.from(packet).toString('hex')),
        );
      }),
      { numRuns: 60 },
    );
  });

  it.each([0xff_ffff - 1, 0xff_ffff, 0xff_ffff + 1, 2 * 0xff_ffff, 2 * 0xff_ffff + 5])(
    'of %i bytes are put together again',
    async (size) => {
      await using ends = await pair();
      const large = Buffer.alloc(size, 7);
      large.writeUInt8(9, size - 1);
      ends.server.write(Buffer.concat([framed(Buffer.of(1)), framed(large), framed(Buffer.of(2))]));
      const [first, joined, last] = await readPackets(ends.wire, 3);
      expect([first, last]).toEqual([Buffer.of(1), Buffer.of(2)]);
      expect(joined?.equals(large)).toBe(true);
    },
  );

  it('that stop coming are an error within the deadline', async () => {
    await using ends = await pair(60);
    ends.server.write(Buffer.of(5, 0, 0, 0, 1));
    await expect(readPackets(ends.wire, 1)).rejects.toEqual(expect.objectContaining({ code: 'SOURCE_SILENT' }));
  });

  it('that came before the end are read, and then the end is an error', async () => {
    await using ends = await pair();
    ends.server.end(Buffer.concat([framed(Buffer.of(1)), framed(Buffer.of(2))]));
    expect(await readPackets(ends.wire, 2)).toEqual([Buffer.of(1), Buffer.of(2)]);
    await expect(readPackets(ends.wire, 1)).rejects.toEqual(
      expect.objectContaining({ code: 'SOURCE_CONNECTION_LOST' }),
    );
  });

  it('are not waited for once the signal has aborted', async () => {
    await using ends = await pair();
    const stop = new AbortController();
    const read = readPackets(ends.wire, 1, stop.signal);
    stop.abort(new Error('stopped'));
    await expect(read).rejects.toThrow('stopped');
  });

  it('are not read from the socket before they are asked for', async () => {
    await using ends = await pair();
    ends.server.write(framed(Buffer.alloc(0xff_fffe)));
    await new Promise(setImmediate);
    expect(ends.client.readableLength).toBeLessThanOrEqual(ends.client.readableHighWaterMark + 65_536);
    expect(await readPackets(ends.wire, 1)).toHaveLength(1);
  });
});

function* pieces(bytes: Buffer, lengths: readonly number[]): Generator<Buffer> {
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const length = lengths[i % lengths.length] ?? 1;
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

async function readPackets(wire: Wire, count: number, signal: AbortSignal = never): Promise<Buffer[]> {
  const packets: Buffer[] = [];
  while (packets.length < count) {
    while (!wire.next()) await wire.arrived(signal);
    const { bytes, start, end } = wire.packet;
    packets.push(Buffer.from(bytes.subarray(start, end)));
  }
  return packets;
}
