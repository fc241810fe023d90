/**
 * An IPv6 address as MariaDB prints it, out of what another server prints: the first of the longest runs of zeros is `::` even where it
 * is a single one, and addresses that carry an IPv4 one end in it. Source: MariaDB sql/sql_type_inet.cc, Inet6::to_string.
 */
export function inet6Text(text: string): string {
  const words = wordsOf(text);
  const [start, length] = longestRun(words);
  const head = words.slice(0, start).map(hex).join(':');
  const tail = words.slice(start + length);
  const holdsInet4 = start === 0 && (length === 6 || (length === 5 && words[5] === 0xffff));
  const end = holdsInet4 ? [...tail.slice(0, -2).map(hex), inet4Of(tail.slice(-2))] : tail.map(hex);
  return length === 0 ? head : `${head}::${end.join(':')}`;
}

const hex = (word: number): string => word.toString(16);

/** Eight numbers of 16 bits. */
function wordsOf(text: string): number[] {
  const [head = '', tail] = text.split('::');
  const first = partsOf(head);
  if (tail === undefined) return first;
  const last = partsOf(tail);
  return [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
}

function partsOf(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((part) => {
    if (!part.includes('.')) return [Number.parseInt(part, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

function inet4Of(words: readonly number[]): string {
  return words.flatMap((word) => [word >> 8, word & 255]).join('.');
}

/** Where the first of the longest runs of zeros begins, and its length. */
function longestRun(words: readonly number[]): readonly [start: number, length: number] {
  let longest: readonly [number, number] = [words.length, 0];
  for (let start = 0; start < words.length; start += 1) {
    let length = 0;
    while (words[start + length] === 0) length += 1;
    if (length > longest[1]) longest = [start, length];
  }
  return longest;
}
