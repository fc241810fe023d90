export function table(schema) {
  return { ...schema, key: [] };
}

export function row(row) {
  return row;
}
