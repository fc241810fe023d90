import type { ASTNode } from '@marcbachmann/cel-js';

/** Names that are certainly not NULL where an expression is true, and where it is false. */
interface Facts {
  readonly whenTrue: ReadonlySet<string>;
  readonly whenFalse: ReadonlySet<string>;
}
interface Search {
  readonly nullable: ReadonlySet<string>;
  readonly found: Set<string>;
}
type Known = ReadonlySet<string>;

const none: Known = new Set();
const nothing: Facts = { whenTrue: none, whenFalse: none };
const macros = new Set(['all', 'exists', 'exists_one', 'map', 'filter', 'bind']);

/**
 * The names among `nullable` whose value an expression needs in a place that it can reach while they are NULL; empty means that a
 * NULL never makes it fail. `==`, `!=` and `in` take NULL; `x != null && …`, `x == null || …` and `x != null ? … : …` guard the rest.
 */
export function unguarded(expression: ASTNode, nullable: ReadonlySet<string>): string[] {
  const search: Search = { nullable, found: new Set() };
  visit(expression, none, search);
  return [...search.found];
}

function visit(node: ASTNode, known: Known, search: Search): Facts {
  switch (node.op) {
    case 'value':
      return nothing;
    case 'id':
      if (search.nullable.has(node.args) && !known.has(node.args)) search.found.add(node.args);
      return nothing;
    case '&&':
      return both(node.args, known, search);
    case '||':
      return either(node.args, known, search);
    case '!_': {
      const { whenTrue, whenFalse } = visit(node.args, known, search);
      return { whenTrue: whenFalse, whenFalse: whenTrue };
    }
    case '?:': {
      const condition = visit(node.args[0], known, search);
      visit(node.args[1], known.union(condition.whenTrue), search);
      visit(node.args[2], known.union(condition.whenFalse), search);
      return nothing;
    }
    case '==':
    case '!=':
      return equality(node.op, node.args, known, search);
    case 'in':
      visitUnlessName(node.args[0], known, search);
      visit(node.args[1], known, search);
      return nothing;
    case 'rcall': {
      const inside = macros.has(node.args[0]) ? shadowed(node.args[2], known) : known;
      visitAll([node.args[1], ...node.args[2]], inside, search);
      return nothing;
    }
    case 'call':
      return visitAll(node.args[1], known, search);
    case '.':
    case '.?':
      return visitAll([node.args[0]], known, search);
    case '-_':
      return visitAll([node.args], known, search);
    case 'map':
      return visitAll(node.args.flat(), known, search);
    case 'list':
    case '[]':
    case '[?]':
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return visitAll(node.args, known, search);
    default:
      return nothing;
  }
}

function both([first, second]: readonly [ASTNode, ASTNode], known: Known, search: Search): Facts {
  const left = visit(first, known, search);
  const right = visit(second, known.union(left.whenTrue), search);
  return { whenTrue: left.whenTrue.union(right.whenTrue), whenFalse: left.whenFalse.intersection(right.whenFalse) };
}

function either([first, second]: readonly [ASTNode, ASTNode], known: Known, search: Search): Facts {
  const left = visit(first, known, search);
  const right = visit(second, known.union(left.whenFalse), search);
  return { whenTrue: left.whenTrue.intersection(right.whenTrue), whenFalse: left.whenFalse.union(right.whenFalse) };
}

/** A comparison with a literal tells which side of it a NULL is on. */
function equality(op: '==' | '!=', [left, right]: readonly [ASTNode, ASTNode], known: Known, search: Search): Facts {
  visitUnlessName(left, known, search);
  visitUnlessName(right, known, search);
  const [name, other] = left.op === 'id' ? [left.args, right] : [right.op === 'id' ? right.args : null, left];
  if (name === null || other.op !== 'value') return nothing;
  const notNull = new Set([name]);
  const comparesNull = other.args === null;
  return (op === '==') === comparesNull
    ? { whenTrue: none, whenFalse: notNull }
    : { whenTrue: notNull, whenFalse: none };
}

function visitUnlessName(node: ASTNode, known: Known, search: Search): void {
  if (node.op !== 'id') visit(node, known, search);
}

function visitAll(nodes: readonly ASTNode[], known: Known, search: Search): Facts {
  for (const node of nodes) visit(node, known, search);
  return nothing;
}

/** A macro's own variable hides a column of the same name. */
function shadowed([variable]: readonly ASTNode[], known: Known): Known {
  return variable?.op === 'id' ? known.union(new Set([variable.args])) : known;
}
