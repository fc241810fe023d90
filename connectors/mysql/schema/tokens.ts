import type { NamedTable } from './ddl.ts';

/** One word, name, text or sign of a statement, with its place in it. */
export interface Token {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Texts first, for what looks like a comment inside them is none. An executable comment's marks go, what stands in it stays. */
const pattern =
  /`(?:[^`]|``)*`|"(?:[^"\\]|\\.|"")*"|'(?:[^'\\]|\\.|'')*'|(?<gone>\/\*M?!\d*|\*\/|\/\*[\s\S]*?\*\/|(?:--(?=\s|$)|#)[^\n]*)|[\p{L}\p{N}_$@]+|\S/gsu;

/** Cuts a statement of MySQL or MariaDB into tokens, without its comments. */
export function tokenize(statement: string): Token[] {
  const tokens: Token[] = [];
  for (const match of statement.matchAll(pattern)) {
    if (match.groups?.['gone'] === undefined)
      tokens.push({ text: match[0], start: match.index, end: match.index + match[0].length });
  }
  return tokens;
}

/** A name without its quotes. */
export function identifier(token: string): string {
  const [mark] = token;
  return mark === '`' || mark === '"' ? token.slice(1, -1).replaceAll(mark.repeat(2), mark) : token;
}

/** A place among a statement's tokens that moves on as they are understood. */
export class TokenReader {
  readonly statement: string;
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(statement: string, tokens: readonly Token[] = tokenize(statement)) {
    this.statement = statement;
    this.#tokens = tokens;
  }

  get ended(): boolean {
    return this.#at >= this.#tokens.length;
  }

  /** The token `ahead` of here in capitals, empty behind the end. */
  word(ahead = 0): string {
    return this.#tokens[this.#at + ahead]?.text.toUpperCase() ?? '';
  }

  /** The token as it stands, and on to the next. */
  take(): string {
    const text = this.#tokens[this.#at]?.text ?? '';
    this.#at += 1;
    return text;
  }

  name(): string {
    return identifier(this.take());
  }

  /** True where these words come next; they are passed over then. */
  skip(...words: readonly string[]): boolean {
    if (!words.every((word, i) => this.word(i) === word)) return false;
    this.#at += words.length;
    return true;
  }

  skipAny(...words: readonly string[]): void {
    while (words.includes(this.word())) this.#at += 1;
  }

  /** The first of the words that comes next, passed over; null where none does. */
  oneOf(...words: readonly string[]): string | null {
    const found = words.find((word) => this.word() === word) ?? null;
    if (found !== null) this.#at += 1;
    return found;
  }

  /** The text of one token, or of a bracket with all that is in it, as it stands in the statement. */
  group(): string {
    const start = this.#tokens[this.#at]?.start ?? this.statement.length;
    let depth = 0;
    do {
      const text = this.take();
      if (text === '(') depth += 1;
      else if (text === ')') depth -= 1;
    } while (depth > 0 && !this.ended);
    return this.statement.slice(start, this.#tokens[this.#at - 1]?.end ?? start);
  }

  /** Moves on to the comma or bracket that ends this item of a list, or to the end. */
  skipItem(): void {
    while (!this.ended && this.word() !== ',' && this.word() !== ')') this.group();
  }

  /** The table that a statement about one is about: what stands behind `TABLE`, on from here. */
  subject(database: string): NamedTable {
    while (!this.ended && !this.skip('TABLE')) this.take();
    if (!this.skip('IF', 'NOT', 'EXISTS')) this.skip('IF', 'EXISTS');
    return this.table(database);
  }

  /** `a` or `db.a`. */
  table(database: string): NamedTable {
    const first = this.name();
    if (!this.skip('.')) return { database, table: first };
    return { database: first, table: this.name() };
  }
}
