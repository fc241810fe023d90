/** MariaDB's UUID as it is stored: the five segments in reverse order, unless the version digit says 6 or 7 and up. */
export function formatUuid(stored: Uint8Array): string {
  const bytes = isStoredAsIs(stored) ? stored : unswapped(stored);
  const hex = Buffer.from(bytes).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Source: MariaDB sql/sql_type_uuid.h, UUID<force_swap>::record_to_memory: swapped when the stored variant and version bits say so. */
function isStoredAsIs(stored: Uint8Array): boolean {
  const variant = stored[8] ?? 0;
  const version = stored[6] ?? 0;
  return (variant & 0x80) !== 0 && (version & 0xf0) > 0x50;
}

function unswapped(stored: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.set(stored.subarray(12, 16), 0);
  bytes.set(stored.subarray(10, 12), 4);
  bytes.set(stored.subarray(8, 10), 6);
  bytes.set(stored.subarray(6, 8), 8);
  bytes.set(stored.subarray(0, 6), 10);
  return bytes;
}

export function formatInet4(bytes: Uint8Array): string {
  return [...bytes].join('.');
}

/** As the server prints it: the longest run of zero groups as `::`, mapped and compatible IPv4 addresses dotted. */
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
    if (to - from > 1 && (best === null || to - from > best.to - best.from)) best = { from, to };
    from = Math.max(from, to - 1);
  }
  return best;
}
