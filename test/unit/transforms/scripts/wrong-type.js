export function row(row) {
  return [String(row[0]), ...row.slice(1)];
}
