import type { JsonObject } from '../../../../shared/core/json.ts';
import type { Draws } from '../draws.ts';
import { formatInstant, type Micros } from '../instants.ts';
import type { Value } from './value.ts';

/** Of which a column makes its value: everything it may depend on, so that equal contexts give equal values. */
export interface CellContext {
  /** Index of the row in its table; a row keeps it for life. */
  readonly row: number;
  /** How often the row was changed since it was inserted. */
  readonly version: number;
  readonly committedAt: Micros;
  /** Version of the table's schema when this version of the row was committed. */
  readonly schemaVersion: number;
  /** The same for every version of the row. */
  readonly fixed: Draws;
  /** Anew for every version. */
  readonly moving: Draws;
  /** Identifier of some row that another table had at the start. */
  idIn(table: string, draws: Draws): bigint;
}

export interface Column {
  /** JSON Schema of the values; for a nested object without its `properties`, which `members` gives. */
  readonly schema: JsonObject;
  readonly isRequired: boolean;
  /** Version of the table's schema that brought the column. */
  readonly since: number;
  /** A closed object's columns, by name. `definition` names it in the schema's `definitions`. */
  readonly members?: Readonly<Record<string, Column>>;
  readonly definition?: string;
  /** Values that a later version of the schema adds to a closed enum. */
  readonly laterValues?: { readonly since: number; readonly values: readonly string[] };
  readonly generate: (context: CellContext) => Value;
}

type Generate<T extends Value = Value> = (context: CellContext) => T;

const column = (schema: JsonObject, generate: Generate): Column => ({ schema, generate, isRequired: true, since: 1 });

/** Not in `required`, which is how a schema says nullable. */
export const optional = (of: Column, presence = 0.7): Column => ({
  ...of,
  isRequired: false,
  generate: (context) => (context.fixed.chance(presence) ? of.generate(context) : null),
});

/** A column that schema version `version` brings; always nullable, since older rows lack it. */
export const since = (version: number, of: Column): Column => ({ ...of, isRequired: false, since: version });

export const text = (maxLength: number, title: string, generate: Generate<string>): Column =>
  column({ type: 'string', maxLength, title }, generate);

/** Text without a limit, such as HTML. */
export const longText = (title: string, generate: Generate<string>): Column =>
  column({ type: 'string', title }, generate);

export const int64 = (title: string, generate: Generate<bigint>): Column =>
  column({ type: 'integer', format: 'int64', title }, generate);

export const reference = (table: string, title: string): Column =>
  int64(title, (context) => context.idIn(table, context.fixed));

export const int32 = (title: string, generate: Generate<number>): Column =>
  column({ type: 'integer', format: 'int32', title }, generate);

export const int16 = (title: string, generate: Generate<number>): Column =>
  column({ type: 'integer', format: 'int16', minimum: 0, maximum: 32767, title }, generate);

export const float64 = (title: string, generate: Generate<number>): Column =>
  column({ type: 'number', format: 'float64', title }, generate);

export const bool = (title: string, generate: Generate<boolean>, defaultValue?: boolean): Column =>
  column({ type: 'boolean', title, ...(defaultValue === undefined ? {} : { default: defaultValue }) }, generate);

/** In the past of every commit, so that the day on which a server starts does not change it. */
export const timestamp = (title: string, generate: Generate<string> = someInstant): Column =>
  column({ type: 'string', format: 'date-time', title }, generate);

/** When this version of the row was written. */
export const updatedAt = (title: string): Column =>
  timestamp(title, ({ committedAt }) => formatInstant(committedAt - (committedAt % 1000)));

export const date = (title: string, yearsBefore = 0): Column =>
  column({ type: 'string', format: 'date', title }, (context) => {
    const day = someInstant(context).slice(4, 10);
    return `${FIRST_YEAR + context.fixed.int(2) - yearsBefore}${day === '-02-29' ? '-02-28' : day}`;
  });

export const uuid = (title: string): Column =>
  column({ type: 'string', format: 'uuid', title }, ({ fixed }) => uuidFrom(fixed));

/** A closed enum. */
export const oneOf = (values: readonly string[], title: string, generate?: Generate<string>): Column =>
  column({ type: 'string', enum: [...values], title }, generate ?? (({ moving }) => moving.pick(values)));

/** A closed enum that has more values from schema version `since` on. */
export const growingOneOf = (
  values: readonly string[],
  later: { readonly since: number; readonly values: readonly string[] },
  title: string,
): Column => ({
  ...oneOf(values, title, ({ moving, schemaVersion }) =>
    moving.pick(schemaVersion >= later.since ? [...values, ...later.values] : values),
  ),
  laterValues: later,
});

/** An enum that may grow without a new schema. */
export const oneOfOrMore = (known: readonly string[], title: string, generate?: Generate<string>): Column =>
  column(
    { title, oneOf: [{ type: 'string', enum: [...known] }, { type: 'string' }] },
    generate ?? (({ moving }) => moving.pick(known)),
  );

/** IPv4 or IPv6. */
export const address = (title: string): Column =>
  column(
    {
      title,
      oneOf: [
        { type: 'string', format: 'ipv4' },
        { type: 'string', format: 'ipv6' },
      ],
    },
    ({ fixed }) =>
      fixed.chance(0.8)
        ? `203.0.113.${fixed.int(256)}`
        : `2001:db8::${fixed.int(0xffff).toString(16)}:${(1 + fixed.int(0xfffe)).toString(16)}`,
  );

export const listOf = (items: JsonObject, title: string, generate: Generate<readonly Value[]>): Column =>
  column({ type: 'array', items, title }, generate);

/**
 * A closed object, spread into columns by mode `expanded`.
 *
 * @param definition its name in the schema's `definitions`, unique in the namespace; inline without
 */
export const nested = (
  title: string,
  members: Readonly<Record<string, Column>>,
  options: { definition?: string } = {},
): Column => ({
  ...column({ type: 'object', title }, (context) => {
    const value: Record<string, Value> = {};
    for (const name in members) {
      const member = members[name]!;
      value[name] = member.since > context.schemaVersion ? null : member.generate(context);
    }
    return value;
  }),
  members,
  // The vendor's client takes one without a single value for null, and demands a value where it is required.
  isRequired: Object.values(members).some((member) => member.isRequired),
  ...options,
});

const FIRST_YEAR = 2023;
const FIRST_SECOND = Date.UTC(FIRST_YEAR, 7, 1) / 1000;
const TWO_YEARS_SECONDS = 2 * 365 * 86_400;

function someInstant({ fixed }: CellContext): string {
  const seconds = FIRST_SECOND + fixed.int(TWO_YEARS_SECONDS);
  return formatInstant(seconds * 1_000_000 + fixed.int(1000) * 1000);
}

export function uuidFrom(draws: Draws): string {
  const [a, b, c, d] = [hex8(draws), hex8(draws), hex8(draws), hex8(draws)];
  return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-${'89ab'[draws.int(4)]}${c.slice(1, 4)}-${c.slice(4)}${d}`;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** By table: `toString(16)` of numbers beyond 2^31 is ten times slower. */
function hex8(draws: Draws): string {
  const bits = draws.next();
  return `${HEX[bits >>> 24]}${HEX[(bits >>> 16) & 255]}${HEX[(bits >>> 8) & 255]}${HEX[bits & 255]}`;
}
