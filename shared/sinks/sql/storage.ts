import type { ColumnType } from '../../records/column-type.ts';

/** How a column is kept, whatever the dialect calls it. */
export type Storage =
  | { readonly kind: 'boolean' }
  | { readonly kind: 'integer'; readonly bits: 16 | 32 | 64 }
  | { readonly kind: 'real' | 'double' | 'uuid' | 'date' | 'time' | 'json' }
  | { readonly kind: 'numeric'; readonly precision: number; readonly scale: number }
  /** `maxLength` in characters. `fixed`: `char(n)`. */
  | { readonly kind: 'text'; readonly maxLength?: number; readonly fixed?: boolean }
  | { readonly kind: 'bytes'; readonly maxBytes?: number }
  | { readonly kind: 'address'; readonly family: 4 | 6 | 'any' }
  | { readonly kind: 'timestamp'; readonly zoned: boolean }
  /** Values of a fixed list: a type of its own in PostgreSQL, called `typeName`. */
  | { readonly kind: 'enum'; readonly values: readonly string[]; readonly typeName: string }
  /** The number of a text in a table of texts. */
  | { readonly kind: 'lookup'; readonly table: string }
  | { readonly kind: 'array'; readonly item: Storage };

/** A column of a table as it is to be. */
export interface SqlColumn {
  readonly name: string;
  /** Its name in the records. */
  readonly source: string;
  readonly type: ColumnType;
  readonly storage: Storage;
  readonly nullable: boolean;
  readonly comment?: string;
  /** What rows have that came before the column: a literal of the dialect. */
  readonly fallback?: string;
}

/** A table as it is to be. */
export interface TablePlan {
  readonly columns: readonly SqlColumn[];
  /** Names of columns; empty: rows have no identity. */
  readonly key: readonly string[];
  /** Whether rows carry the time they were written at the source. */
  readonly hasTs: boolean;
  /** Whether rows carry the partition that they came from. */
  readonly hasPartition: boolean;
  readonly comment?: string;
}
