import type { Place } from '../position/position.ts';
import type { Body } from './body.ts';
import { flag } from './event-types.ts';
import type { LogEvent } from './event.ts';
import { MalformedEvent } from './malformed.ts';

const wrap = 2 ** 32;
/** Fields of HEARTBEAT_LOG_EVENT_V2. */
const heartbeatFile = 1;
const heartbeatOffset = 2;

/** Where the reader stands in the log. Events tell 32 bits of it; a file that a large transaction made longer than 4 GB is followed none the less. */
export class LogPlace {
  readonly #server: string;
  #file: string;
  #offset: number;

  constructor(start: Place) {
    this.#server = start.server;
    this.#file = start.file;
    this.#offset = start.offset;
  }

  get place(): Place {
    return { file: this.#file, offset: this.#offset, server: this.#server };
  }

  get file(): string {
    return this.#file;
  }

  get offset(): number {
    return this.#offset;
  }

  /** Moves behind an event. */
  pass(event: LogEvent): void {
    if (event.logPos !== 0 && (event.flags & flag.artificial) === 0) this.#offset = this.#resolve(event.logPos);
  }

  /** ROTATE: the next event stands in another file. */
  rotate(body: Body): void {
    const offset = body.u64();
    this.#file = fileName(body.rest());
    this.#offset = offset;
  }

  /** HEARTBEAT: how far the log has been sent, also past transactions that were skipped because we have them. */
  heartbeat(body: Body, logPos: number): void {
    const file = fileName(body.rest());
    if (logPos === 0) return;
    this.#moveOn(file, file === this.#file ? this.#resolve(logPos) : logPos);
  }

  /** The same with the whole offset. Source: libs/mysql/binlog/event/control_events.cpp, Heartbeat_event_v2. */
  heartbeatV2(body: Body): void {
    let file = this.#file;
    let offset = this.#offset;
    for (let field = body.u8(); field !== 0; field = body.u8()) {
      const length = body.lenenc();
      const end = body.at + length;
      if (field === heartbeatFile) file = fileName(body.text(length));
      else if (field === heartbeatOffset) offset = body.lenenc();
      else body.skip(length);
      if (body.at !== end) throw new MalformedEvent('a heartbeat with a field of another length');
    }
    this.#moveOn(file, offset);
  }

  #moveOn(file: string, offset: number): void {
    this.#file = file;
    this.#offset = offset;
  }

  /** The nearest place whose lower 32 bits these are; a step back is none, for inside a file the log only goes on. */
  #resolve(low: number): number {
    const near = this.#offset - (this.#offset % wrap) + low;
    if (this.#offset - near > wrap / 2) return near + wrap;
    return near - this.#offset > wrap / 2 && near >= wrap ? this.#offset : Math.max(near, this.#offset);
  }
}

function fileName(text: string): string {
  if (!/^[^\0]{1,512}\.\d{1,20}$/u.test(text)) throw new MalformedEvent('a log file’s name that is none');
  return text;
}
