import type { Packet } from '../connection/wire.ts';
import { Body } from './body.ts';
import { Checksums, cutChecksum, readHeader, type LogEvent } from './event.ts';
import { event as types, flag } from './event-types.ts';
import { MalformedEvent } from './malformed.ts';
import { unsupported } from './refusals.ts';

/** Takes events out of a dump's packets and verifies their checksums. Whether they have one is what the log itself says, file by file. */
export class Framing {
  /** What servers do unless told otherwise; a dump says it before the first event that counts. */
  #hasChecksums = true;
  readonly #checksums = new Checksums();

  /** The event of a packet that is one (its first byte is 0). Errors: MalformedEvent. */
  open(event: LogEvent, { bytes, start, end }: Packet): void {
    readHeader(event, bytes, start + 1, end);
    if (event.type === types.formatDescription) this.#describe(event);
    else if (event.type === types.rotate && (event.flags & flag.artificial) !== 0) this.#openArtificialRotate(event);
    else if (this.#hasChecksums) this.#verify(event);
  }

  /**
   * A FORMAT_DESCRIPTION ends with the checksum algorithm and a checksum of its own, whatever the algorithm. Only the format of
   * MySQL 5.0 and later is taken. Source: libs/mysql/binlog/event/control_events.cpp, Format_description_event.
   */
  #describe(event: LogEvent): void {
    cutChecksum(event);
    const body = new Body(event.bytes, event.body, event.end);
    const version = body.u16();
    body.skip(50 + 4);
    const header = body.u8();
    if (version !== 4 || header !== 19)
      throw unsupported(`a format of version ${version} with headers of ${header} bytes`);
    if (body.left < 1) throw new MalformedEvent('a format that names no checksum algorithm');
    const algorithm = event.bytes[event.end - 1] ?? 0;
    if (algorithm > 1) throw unsupported(`events with checksum algorithm ${algorithm}`);
    this.#hasChecksums = algorithm === 1;
    if (this.#hasChecksums) this.#requireChecksum(event);
  }

  #verify(event: LogEvent): void {
    cutChecksum(event);
    this.#requireChecksum(event);
  }

  #requireChecksum(event: LogEvent): void {
    if (!this.#checksums.hold(event)) throw new MalformedEvent('an event whose checksum is wrong');
  }

  /**
   * The server makes a ROTATE up for the beginning of each file, before we know whether that file has checksums, and the server
   * goes by another file's or by its setting. So the event itself is asked; without a checksum it ends with the file's number.
   */
  #openArtificialRotate(event: LogEvent): void {
    const { end } = event;
    cutChecksum(event);
    if (!this.#checksums.hold(event)) event.end = end;
  }
}
