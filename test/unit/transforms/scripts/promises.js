export async function row(row) {
  return row;
}
