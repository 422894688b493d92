import { mix } from '../draws.ts';
import { type CellContext, type Column, int64, uuidFrom } from './column.ts';
import type { Value } from './value.ts';

/** What a table looks like and how lively it is; its rows are made by `generator.ts`. */
export interface TableDefinition {
  readonly namespace: string;
  readonly name: string;
  readonly title: string;
  readonly keyName: string;
  readonly key: Column;
  /** In the order in which tabular formats show them. */
  readonly columns: Readonly<Record<string, Column>>;
  /** Identifiers are this plus the row's index plus one. */
  readonly idBase: bigint;
  /** The table is committed to at every n-th refresh of the platform; Infinity: never again after the first load. */
  readonly refreshesPerCommit: number;
  /** The refresh that brings schema version 2, 3 …, counted in commits of this table. */
  readonly schemaChangesAtCommit: readonly number[];
  /** True where the source delivers at least once, so that a key may repeat in one result. */
  readonly repeatsKeys: boolean;
}

/** Canvas's global identifiers are shard × 10^13 + local number. Shard 9073 is beyond 2^53, where doubles lose digits. */
export const GLOBAL_ID_BASE = 90_730_000_000_000_000n;

export interface TableOptions {
  /** Default: Canvas's global identifiers. */
  readonly idBase?: bigint;
  readonly refreshesPerCommit?: number;
  readonly schemaChangesAtCommit?: readonly number[];
}

/** A table of entities with an int64 `id`. */
export function entityTable(
  namespace: string,
  name: string,
  title: string,
  columns: Readonly<Record<string, Column>>,
  options: TableOptions = {},
): TableDefinition {
  const idBase = options.idBase ?? GLOBAL_ID_BASE;
  return {
    namespace,
    name,
    title,
    keyName: 'id',
    key: int64(`Identifier of the record.`, ({ row }) => idBase + BigInt(row + 1)),
    columns,
    idBase,
    refreshesPerCommit: options.refreshesPerCommit ?? 1,
    schemaChangesAtCommit: options.schemaChangesAtCommit ?? [],
    repeatsKeys: false,
  };
}

/** A table of events with a UUID as its key, delivered at least once and never changed afterwards. */
export function eventTable(
  namespace: string,
  name: string,
  title: string,
  columns: Readonly<Record<string, Column>>,
): TableDefinition {
  const id: Column = {
    schema: { type: 'string', format: 'uuid', title: 'Identifier of the event.' },
    isRequired: true,
    since: 1,
    generate: ({ fixed }: CellContext): Value => uuidFrom(fixed),
  };
  return {
    namespace,
    name,
    title,
    keyName: 'id',
    key: id,
    columns,
    idBase: 0n,
    refreshesPerCommit: 1,
    schemaChangesAtCommit: [],
    repeatsKeys: true,
  };
}

/** True for about one row in fifty, always the same ones. */
export const isRepeated = (definition: TableDefinition, row: number): boolean =>
  definition.repeatsKeys && mix(row, 0x5eed) % 50 === 0;
