/** The labels of a SET's bits in definition order, joined by `,` (no label can hold one). */
export function setLabels(bits: bigint, labels: readonly string[]): string {
  return labels.filter((_, i) => (bits >> BigInt(i)) & 1n).join(',');
}
