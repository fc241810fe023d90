import type { Binary } from 'mongodb';
import { canonicalObject } from './json.ts';
import { exactNumber } from './number.ts';

const TYPES = ['', 'Point', 'LineString', 'Polygon', 'MultiPoint', 'MultiLineString', 'MultiPolygon'] as const;
/** How deep the lists of points are nested: 1 is a list of points. */
const DEPTHS = [0, 0, 1, 2, 1, 2, 3];
const WITH_GEOJSON = [0, 4326];

/** Binary's bytes as a string of one character per byte. */
export function latin1Of(value: Binary): string {
  return Buffer.from(value.value()).toString('latin1');
}

const HAS_SRID = 0x20000000;

/**
 * PostGIS's EWKB in hex, with or without `\x`, as 4 bytes of SRID (little endian) and WKB, as a string of one character per byte.
 * Source: PostGIS manual, 4.1.2, OGC geometry's extended WKB.
 */
export function geometryOfEwkb(hex: string): string {
  const bytes = Buffer.from(hex.startsWith('\\x') ? hex.slice(2) : hex, 'hex');
  const srid = Buffer.alloc(4);
  if (bytes.length < 9) return latin1Text(srid, bytes);
  const little = bytes[0] === 1;
  const type = little ? bytes.readUInt32LE(1) : bytes.readUInt32BE(1);
  if ((type & HAS_SRID) === 0) return latin1Text(srid, bytes);
  srid.writeUInt32LE(little ? bytes.readUInt32LE(5) : bytes.readUInt32BE(5));
  const head = Buffer.from(bytes.subarray(0, 5));
  if (little) head.writeUInt32LE((type & ~HAS_SRID) >>> 0, 1);
  else head.writeUInt32BE((type & ~HAS_SRID) >>> 0, 1);
  return latin1Text(srid, head, bytes.subarray(9));
}

function latin1Text(...parts: readonly Buffer[]): string {
  return Buffer.concat(parts).toString('latin1');
}

/**
 * 4 bytes of SRID and WKB, as a string of one character per byte, as canonical GeoJSON text. Null where GeoJSON cannot say it: an
 * SRID that is neither 0 nor 4326, and collections. Source: OGC 06-103r4, 8.2; RFC 7946.
 */
export function geoJsonOf(latin1: string): string | null {
  const bytes = Buffer.from(latin1, 'latin1');
  if (bytes.length < 9 || !WITH_GEOJSON.includes(bytes.readUInt32LE(0))) return null;
  return shapeText({ bytes, at: 4 });
}

interface Wkb {
  readonly bytes: Buffer;
  at: number;
}

function shapeText(wkb: Wkb): string | null {
  const type = readHeader(wkb);
  const name = TYPES[type];
  if (name === undefined || name === '') return null;
  const coordinates = name.startsWith('Multi') ? readParts(wkb) : readList(wkb, DEPTHS[type] ?? 0);
  return canonicalObject([
    ['type', JSON.stringify(name)],
    ['coordinates', coordinates],
  ]);
}

function readHeader(wkb: Wkb): number {
  const type = wkb.bytes.readUInt32LE(wkb.at + 1);
  wkb.at += 5;
  return type;
}

/** The parts of a Multi… each have a header of their own. */
function readParts(wkb: Wkb): string {
  const parts: string[] = [];
  for (let left = readCount(wkb); left > 0; left -= 1) parts.push(readList(wkb, DEPTHS[readHeader(wkb)] ?? 0));
  return `[${parts.join()}]`;
}

function readList(wkb: Wkb, depth: number): string {
  if (depth === 0) return `[${readCoordinate(wkb)},${readCoordinate(wkb)}]`;
  const items: string[] = [];
  for (let left = readCount(wkb); left > 0; left -= 1) items.push(readList(wkb, depth - 1));
  return `[${items.join()}]`;
}

function readCount(wkb: Wkb): number {
  wkb.at += 4;
  return wkb.bytes.readUInt32LE(wkb.at - 4);
}

function readCoordinate(wkb: Wkb): string {
  wkb.at += 8;
  return exactNumber(String(wkb.bytes.readDoubleLE(wkb.at - 8)));
}
