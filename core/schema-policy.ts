/** What becomes of a kind of schema change at the source: made in the target too, left out there, or a reason to stop for a person. */
export type SchemaPolicy = 'evolve' | 'ignore' | 'stop';

/** The kinds of schema changes, and what may be chosen for each; the first is the default. */
export const schemaPolicies = {
  'create-table': ['evolve', 'ignore', 'stop'],
  'drop-table': ['evolve', 'ignore', 'stop'],
  'rename-table': ['evolve', 'stop'],
  'truncate-table': ['evolve', 'ignore', 'stop'],
  'change-partition': ['evolve', 'ignore', 'stop'],
  'add-column': ['evolve', 'stop'],
  'drop-column': ['evolve', 'ignore', 'stop'],
  'rename-column': ['evolve', 'stop'],
  'change-column': ['evolve', 'ignore', 'stop'],
  'change-key': ['evolve', 'stop'],
} as const satisfies Record<string, readonly SchemaPolicy[]>;

export type SchemaChangeKind = keyof typeof schemaPolicies;

/** A policy for each kind; a kind that is not named evolves. */
export type SchemaPolicies = { readonly [Kind in SchemaChangeKind]?: SchemaPolicy };
