import { hashText } from './draws.ts';
import type { GeneratorOptions } from './generator.ts';
import type { Micros } from './instants.ts';
import { TableStore } from './table-store.ts';
import type { TableDefinition } from './tables/definition.ts';

export interface NamespacesOptions {
  readonly seed: number;
  /** Rows of the first load: of every table, or by name with `default` for the others. */
  readonly rows: number | Readonly<Record<string, number>>;
  readonly firstCommitAt: Micros;
  readonly refreshEvery: Micros;
  readonly isSilent: (definition: TableDefinition) => boolean;
}

const DEFAULT_ROWS = 1000;

/** The tables that a server offers, by namespace. */
export class Namespaces {
  readonly #tables = new Map<string, Map<string, TableStore>>();

  constructor(definitions: readonly TableDefinition[], options: NamespacesOptions, now: () => Micros) {
    const { rows } = options;
    const idBases = new Map(definitions.map(({ name, idBase }) => [name, idBase]));
    const generation: GeneratorOptions = {
      seed: options.seed,
      rowsOf: (table) => (typeof rows === 'number' ? rows : (rows[table] ?? rows.default ?? DEFAULT_ROWS)),
      // A table may refer to one that this server does not offer.
      idBaseOf: (table) => idBases.get(table) ?? BigInt(hashText(table)),
      firstCommitAt: options.firstCommitAt,
      refreshEvery: options.refreshEvery,
      isSilent: options.isSilent,
    };
    for (const definition of definitions) {
      const tables = this.#tables.get(definition.namespace) ?? new Map<string, TableStore>();
      tables.set(definition.name, new TableStore(definition, generation, now));
      this.#tables.set(definition.namespace, tables);
    }
  }

  has(namespace: string): boolean {
    return this.#tables.has(namespace);
  }

  /** Sorted. */
  tableNames(namespace: string): string[] {
    return [...(this.#tables.get(namespace)?.keys() ?? [])].sort();
  }

  table(namespace: string, name: string): TableStore | undefined {
    return this.#tables.get(namespace)?.get(name);
  }
}
