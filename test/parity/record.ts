import { plain } from '../support/plain.ts';
import type { Batch, Values } from '../../core/contracts.ts';
import { MemoryServer } from '../support/memory-target.ts';
import { runSource } from '../support/mysql-run.ts';

/** The images of the rows of one table as the source gave them, by `id`. */
export interface Images {
  readonly read: Map<number, Values>;
  readonly inserted: Map<number, Values>;
  readonly before: Map<number, Values>;
  readonly after: Map<number, Values>;
  readonly deleted: Map<number, Values>;
}

/** The source run into memory, with every image kept: what came by copy, and what came by the stream. */
export class Recorder {
  readonly server = new MemoryServer();
  readonly #tables = new Map<string, Images>();
  readonly #url: string;
  readonly #pattern: string;

  constructor(url: string, database: string) {
    this.#url = url;
    this.#pattern = `${database}.*`;
  }

  /** From where it stood to where the source stands now. */
  async catchUp(): Promise<void> {
    const [url, tables, server] = [this.#url, [this.#pattern], this.server];
    await runSource({ url, tables, server, pipeline: 'parity', before: (_, batch) => this.#keep(batch) });
  }

  images(table: string): Images {
    const known = this.#tables.get(table);
    if (known !== undefined) return known;
    const images = { read: new Map(), inserted: new Map(), before: new Map(), after: new Map(), deleted: new Map() };
    this.#tables.set(table, images);
    return images;
  }

  #keep({ changes }: Batch): void {
    for (const change of changes.map(plain)) {
      if (!('at' in change) || !('after' in change) || change.kind === 'schema') continue;
      const images = this.images(change.table.name);
      const id = Number((change.after ?? change.before)[0]);
      if (change.kind === 'read') images.read.set(id, change.after);
      if (change.kind === 'insert') images.inserted.set(id, change.after);
      if (change.kind === 'delete') images.deleted.set(id, change.before);
      if (change.kind !== 'update') continue;
      images.before.set(id, change.before);
      images.after.set(id, change.after);
    }
  }
}
