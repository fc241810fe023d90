import { doubleOf } from './json.ts';

/** Names by WKB type. Source: OGC 06-103r4, section 8.2. */
const shapes: Readonly<Record<number, string>> = {
  1: 'Point',
  2: 'LineString',
  3: 'Polygon',
  4: 'MultiPoint',
  5: 'MultiLineString',
  6: 'MultiPolygon',
};

interface Reader {
  readonly view: DataView;
  at: number;
  little: boolean;
}

/**
 * A geometry of SRID 0 or 4326 as GeoJSON; null for other systems, collections and what is not well formed. MySQL keeps the longitude
 * first inside, as GeoJSON wants it, whatever order of axes it prints (manual, "Spatial Reference System Support").
 */
export function geoJson(value: Uint8Array): { type: string; coordinates: unknown } | null {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  if (value.length < 9) return null;
  const srid = view.getUint32(0, true);
  if (srid !== 0 && srid !== 4326) return null;
  const reader: Reader = { view, at: 4, little: true };
  try {
    const shape = readHeader(reader);
    const type = shapes[shape];
    if (type === undefined) return null;
    const coordinates = readShape(reader, shape);
    return reader.at === value.length ? { type, coordinates } : null;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function readHeader(reader: Reader): number {
  reader.little = reader.view.getUint8(reader.at) === 1;
  reader.at += 1;
  return readCount(reader);
}

function readCount(reader: Reader): number {
  const count = reader.view.getUint32(reader.at, reader.little);
  reader.at += 4;
  return count;
}

function readShape(reader: Reader, shape: number): unknown {
  switch (shape) {
    case 1:
      return readPoint(reader);
    case 2:
      return readList(reader, readPoint);
    case 3:
      return readList(reader, (reader) => readList(reader, readPoint));
    default:
      return readList(reader, (reader) => readShape(reader, readPart(reader, shape - 3)));
  }
}

/** The header of one part of a multi geometry. */
function readPart(reader: Reader, expected: number): number {
  const shape = readHeader(reader);
  if (shape !== expected) throw new RangeError('not the part of this geometry');
  return shape;
}

function readList(reader: Reader, read: (reader: Reader) => unknown): unknown[] {
  const count = readCount(reader);
  // The smallest part is a count or header of 4 bytes: more of them than bytes left is not well formed.
  if (count * 4 > reader.view.byteLength - reader.at) throw new RangeError('a count beyond the end');
  return Array.from({ length: count }, () => read(reader));
}

function readPoint(reader: Reader): unknown[] {
  const x = reader.view.getFloat64(reader.at, reader.little);
  const y = reader.view.getFloat64(reader.at + 8, reader.little);
  reader.at += 16;
  return [doubleOf(x), doubleOf(y)];
}
