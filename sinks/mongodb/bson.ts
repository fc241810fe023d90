import { BSON } from 'mongodb';
import type { Bytes } from '../../core/bytes.ts';

/** The types of elements. Source: https://bsonspec.org/spec.html */
export const DOUBLE = 0x01;
export const STRING = 0x02;
export const DOCUMENT = 0x03;
export const ARRAY = 0x04;
export const BINARY = 0x05;
export const OBJECT_ID = 0x07;
export const BOOLEAN = 0x08;
export const DATE = 0x09;
export const NULL = 0x0a;
export const INT = 0x10;
export const LONG = 0x12;
export const DECIMAL = 0x13;

/** What stands before a value whose type is not known yet: room for it, and the name. */
export function headOf(name: string): Buffer {
  return Buffer.from(`\0${name}\0`);
}

/** Appends a document's or array's beginning; gives where it begins, for `close`. */
export function open(out: Bytes): number {
  const at = out.length;
  out.int32le(0);
  return at;
}

/** Ends the document or array that begins at `at`. */
export function close(out: Bytes, at: number): void {
  out.byte(0);
  out.putInt32le(at, out.length - at);
}

/** Appends what stands before an element's value. */
export function head(out: Bytes, type: number, name: string): void {
  out.byte(type);
  out.ascii(name);
  out.byte(0);
}

const VALUE = 4 + headOf('v').length;

/** Appends any value that the driver knows how to write, and gives its type. */
export function appendAny(out: Bytes, value: unknown): number {
  const bytes = BSON.serialize({ v: value });
  out.copy(bytes, VALUE, bytes.length - 1);
  return bytes[4] ?? NULL;
}

/** Appends the length of a string that is to come; gives where it begins, for `endString`. */
export function beginString(out: Bytes): number {
  out.int32le(0);
  return out.length;
}

export function endString(out: Bytes, from: number): void {
  out.byte(0);
  out.putInt32le(from - 4, out.length - from);
}
