import { parseExact } from '../../core/lossless-json.ts';
import type { ColumnType } from '../../records/column-type.ts';
import type { Schema } from '../../records/schema.ts';

/** Puts the dotted columns of DAP's `expanded` mode together again. */
export interface Regrouping {
  readonly fields: readonly string[];
  regroup(cells: readonly unknown[]): unknown[];
}

type Source =
  | { readonly at: number }
  | {
      readonly type: ColumnType & { kind: 'struct' };
      readonly cellOf: ReadonlyMap<string, number>;
      readonly prefix: string;
    };

/** @returns undefined if no struct of the schema is spread over columns */
export function regrouping(fields: readonly string[], schema: Schema | undefined): Regrouping | undefined {
  const cellOf = new Map(fields.map((field, at) => [field, at]));
  const spread = (schema?.columns ?? []).filter(
    ({ name, type }) =>
      type.kind === 'struct' && !cellOf.has(name) && fields.some((field) => field.startsWith(`${name}.`)),
  );
  if (spread.length === 0) return undefined;
  const isPart = (field: string) => spread.some(({ name }) => field.startsWith(`${name}.`));
  const sources: (readonly [string, Source])[] = [
    ...fields.flatMap((field, at) => (isPart(field) ? [] : [[field, { at }] as const])),
    ...spread.map(
      ({ name, type }) => [name, { type: type as ColumnType & { kind: 'struct' }, cellOf, prefix: name }] as const,
    ),
  ];
  return {
    fields: sources.map(([name]) => name),
    regroup: (cells) =>
      sources.map(([, source]) =>
        'at' in source ? cells[source.at] : memberOf(source.type, source.prefix, cellOf, cells),
      ),
  };
}

/** Null if all of it is null, as in the condensed mode. */
function memberOf(
  type: ColumnType,
  field: string,
  cellOf: ReadonlyMap<string, number>,
  cells: readonly unknown[],
): unknown {
  const at = cellOf.get(field);
  const cell = at === undefined ? null : (cells[at] ?? null);
  if (type.kind !== 'struct' || cell !== null) {
    const isJson = type.kind === 'list' || type.kind === 'map' || type.kind === 'struct' || type.kind === 'json';
    return isJson && typeof cell === 'string' ? jsonOf(cell) : cell === '' && type.kind !== 'string' ? null : cell;
  }
  const members = type.fields.map(
    ({ name, type: inner }) => [name, memberOf(inner, `${field}.${name}`, cellOf, cells)] as const,
  );
  return members.every(([, value]) => value === null) ? null : Object.fromEntries(members);
}

/** Text that is no JSON stays text, and does not fit its type. */
function jsonOf(text: string): unknown {
  try {
    return parseExact(text);
  } catch {
    return text;
  }
}
