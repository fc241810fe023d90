export function row(row) {
  row[1] = 'changed';
  return row;
}
