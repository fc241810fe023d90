import { MalformedEvent } from './malformed.ts';

/** A member's name or an array's index; negative ones count from the end, -1 is the last. */
export type PathLeg = string | number;

/** A value as canonical text until somebody has to look inside. */
interface Leaf {
  kind: 'text';
  text: string;
}
interface ObjectNode {
  kind: 'object';
  /** By name, not quoted; `quoted` is the name as it is printed. */
  members: Map<string, { quoted: string; value: Node }>;
}
interface ArrayNode {
  kind: 'array';
  items: Node[];
}
type Node = Leaf | ObjectNode | ArrayNode;

/**
 * A JSON value in its canonical text (`{"a": 1, "bb": [2, 3]}`: names by length, then bytes), changed by path. Numbers and strings stay the text they
 * are; only the objects and arrays on the way of a path are taken apart. Errors: MalformedEvent where a path leads nowhere.
 */
export class JsonDocument {
  #root: Node;

  constructor(text: string) {
    this.#root = { kind: 'text', text };
  }

  replace(path: readonly PathLeg[], text: string): void {
    const value: Node = { kind: 'text', text };
    const last = path.at(-1);
    if (last === undefined) {
      this.#root = value;
      return;
    }
    const parent = this.#parentOf(path);
    if (parent.kind === 'array') parent.items[existing(parent, last)] = value;
    else member(parent, last).value = value;
  }

  /** Into an array before the item that stands there now, or at its end; into an object under a new name. */
  insert(path: readonly PathLeg[], text: string): void {
    const value: Node = { kind: 'text', text };
    const last = path.at(-1);
    if (last === undefined) throw new MalformedEvent('a JSON diff that inserts a whole document');
    const parent = this.#parentOf(path);
    if (parent.kind === 'array' && typeof last === 'number') parent.items.splice(last, 0, value);
    else if (parent.kind === 'object' && typeof last === 'string' && !parent.members.has(last))
      parent.members.set(last, { quoted: JSON.stringify(last), value });
    else throw nowhere();
  }

  remove(path: readonly PathLeg[]): void {
    const last = path.at(-1);
    if (last === undefined) throw new MalformedEvent('a JSON diff that removes a whole document');
    const parent = this.#parentOf(path);
    if (parent.kind === 'array') parent.items.splice(existing(parent, last), 1);
    else if (typeof last !== 'string' || !parent.members.delete(last)) throw nowhere();
  }

  toString(): string {
    return print(this.#root);
  }

  #parentOf(path: readonly PathLeg[]): ObjectNode | ArrayNode {
    let node = opened(this.#root);
    this.#root = node;
    for (const leg of path.slice(0, -1)) {
      if (node.kind === 'array') {
        const at = existing(node, leg);
        const child = opened(node.items[at]);
        node.items[at] = child;
        node = child;
      } else {
        const entry = member(node, leg);
        const child = opened(entry.value);
        entry.value = child;
        node = child;
      }
    }
    return node;
  }
}

function existing({ items }: ArrayNode, leg: PathLeg): number {
  const index = typeof leg === 'number' && leg < 0 ? items.length + leg : leg;
  if (typeof index !== 'number' || index < 0 || index >= items.length) throw nowhere();
  return index;
}

function member({ members }: ObjectNode, leg: PathLeg): { quoted: string; value: Node } {
  const found = typeof leg === 'string' ? members.get(leg) : undefined;
  if (found === undefined) throw nowhere();
  return found;
}

function nowhere(): MalformedEvent {
  return new MalformedEvent('a JSON diff whose path is not in the value before it');
}

/** The value taken apart by one level. */
function opened(node: Node | undefined): ObjectNode | ArrayNode {
  if (node === undefined) throw nowhere();
  if (node.kind !== 'text') return node;
  const { text } = node;
  if (text.startsWith('[')) {
    const items = parts(text).map((part): Node => ({ kind: 'text', text: part }));
    return { kind: 'array', items };
  }
  if (!text.startsWith('{')) throw nowhere();
  const members: ObjectNode['members'] = new Map();
  for (const part of parts(text)) {
    const end = endOfString(part, 0);
    const quoted = part.slice(0, end);
    members.set(String(JSON.parse(quoted)), { quoted, value: { kind: 'text', text: part.slice(end + 2) } });
  }
  return { kind: 'object', members };
}

/** What stands between the commas of a container's canonical text. */
function parts(text: string): string[] {
  const found: string[] = [];
  let depth = 0;
  let begin = 1;
  for (let at = 1; at < text.length; at += 1) {
    const char = text.charCodeAt(at);
    if (char === 0x22) at = endOfString(text, at) - 1;
    else if (char === 0x5b || char === 0x7b) depth += 1;
    else if ((char === 0x5d || char === 0x7d) && depth > 0) depth -= 1;
    else if (depth === 0 && (char === 0x2c || at === text.length - 1)) {
      if (at > begin) found.push(text.slice(begin, at));
      begin = at + 2;
    }
  }
  return found;
}

/** Behind the closing quote of the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== 0x22) at += text.charCodeAt(at) === 0x5c ? 2 : 1;
  return at + 1;
}

function print(node: Node): string {
  if (node.kind === 'text') return node.text;
  if (node.kind === 'array') return `[${node.items.map(print).join(', ')}]`;
  const members = [...node.members].toSorted(([a], [b]) => compareNames(a, b));
  return `{${members.map(([, { quoted, value }]) => `${quoted}: ${print(value)}`).join(', ')}}`;
}

/** MySQL's order of an object's names. Source: sql-common/json_dom.cc, Json_key_comparator. */
function compareNames(a: string, b: string): number {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length - other.length || one.compare(other);
}
