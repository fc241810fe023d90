export function row(row) {
  throw new RangeError(`secret ${row[1]}`);
}
