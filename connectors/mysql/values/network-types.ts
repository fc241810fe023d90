/** MariaDB's UUID as the log holds it: in the order of its text, whichever way the table stores it. Source: MariaDB sql/sql_type_fixedbin.h, pack. */
export function formatUuid(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

export function formatInet4(bytes: Uint8Array): string {
  return [...bytes].join('.');
}

/** As the server prints it: the first longest run of zero groups, even of one, as `::`, mapped and compatible IPv4 addresses dotted. */
export function formatInet6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  const dotted =
    groups.slice(0, 5).every((group) => group === 0) && (groups[5] === 0xffff || (groups[5] === 0 && groups[6] !== 0));
  if (dotted) return `::${groups[5] === 0xffff ? 'ffff:' : ''}${formatInet4(bytes.subarray(12))}`;
  const gap = longestZeroRun(groups);
  const hex = (part: number[]): string => part.map((group) => group.toString(16)).join(':');
  if (gap === null) return hex(groups);
  return `${hex(groups.slice(0, gap.from))}::${hex(groups.slice(gap.to))}`;
}

function longestZeroRun(groups: readonly number[]): { from: number; to: number } | null {
  let best: { from: number; to: number } | null = null;
  for (let from = 0; from < groups.length; from += 1) {
    let to = from;
    while (to < groups.length && groups[to] === 0) to += 1;
    if (to > from && (best === null || to - from > best.to - best.from)) best = { from, to };
    from = Math.max(from, to);
  }
  return best;
}
