import { InvalidInputError } from '../../core/errors.ts';
import type { ColumnType, Value } from '../../records/column-type.ts';
import type { Column, Schema } from '../../records/schema.ts';
import { typeFromJson, typeText } from '../../records/type-text.ts';
import type { CommonSettings } from '../options.ts';
import { converterOf } from './convert.ts';
import { type Converter, INVALID, type RawMode } from './converter.ts';
import { type ColumnRule, sourceOf, targetOf } from './rules.ts';

/** How one column is filled. */
export interface PlannedColumn extends Column {
  /** The field it comes from. */
  readonly source: string;
  readonly rule: ColumnRule;
  readonly convert: Converter;
  readonly nullValues: ReadonlySet<unknown> | undefined;
  /** An empty cell is null. */
  readonly emptyIsNull: boolean;
  /** True if objects have a member of that name by birth. */
  readonly isInherited: boolean;
  /** What `onInvalid` puts in place; undefined without. */
  readonly fallback: Value | undefined;
}

export interface PlanOptions {
  readonly settings: CommonSettings;
  readonly mode: RawMode;
  readonly emptyAsNull: boolean;
  readonly formats?: DefaultFormats;
  /** What fields are already. */
  readonly native?: ReadonlyMap<string, ColumnType>;
}

/** Of columns whose rule has none. */
export interface DefaultFormats {
  readonly dateFormat?: string | undefined;
  readonly timestampFormat?: string | undefined;
}

/** The rules by the column they are for, and by the field they take. */
export function rulesOf(rules: readonly ColumnRule[]) {
  return {
    byTarget: new Map(rules.map((rule) => [targetOf(rule), rule])),
    bySource: new Map(rules.map((rule) => [sourceOf(rule), rule])),
  };
}

export function planColumn(column: Column, given: ColumnRule, options: PlanOptions): PlannedColumn {
  const type: ColumnType = given.type === undefined ? column.type : typeFromJson(given.type, column.name);
  const format = given.format ?? formatOf(type, options.formats);
  const rule = format === undefined ? given : { ...given, format };
  const convertOptions = { mode: options.mode, rule, dropUnknown: options.settings.onExtraField === 'drop' };
  const source = sourceOf({ ...rule, targetName: column.name });
  const native = options.native?.get(source);
  const isNative = native !== undefined && !rule.trim && typeText(native) === typeText(type);
  const convert = isNative ? asIs : converterOf(type, { ...convertOptions, ...(native && { native }) });
  return {
    ...column,
    type,
    nullable: column.nullable && !rule.nullIsInvalid,
    source,
    rule,
    convert,
    nullValues: rule.nullValues && new Set<unknown>(rule.nullValues),
    emptyIsNull: options.emptyAsNull && type.kind !== 'string',
    isInherited: source in Object.prototype,
    fallback: fallbackOf(column.name, type, rule),
  };
}

const asIs: Converter = (raw) => raw as Value;

function formatOf({ kind }: ColumnType, formats: DefaultFormats = {}): string | undefined {
  if (kind === 'date') return formats.dateFormat;
  return kind === 'timestamp' ? formats.timestampFormat : undefined;
}

function fallbackOf(name: string, type: ColumnType, { onInvalid }: ColumnRule): Value | undefined {
  if (typeof onInvalid !== 'object') return undefined;
  if (onInvalid.default === null) return null;
  const value = converterOf(type, { mode: 'value' })(onInvalid.default);
  if (value !== INVALID) return value;
  throw new InvalidInputError(`column ${JSON.stringify(name)}: its default is none of its type, ${type.kind}`);
}

export function schemaOfPlan(columns: readonly PlannedColumn[], base: Schema | undefined): Schema {
  return {
    ...base,
    columns: columns.map(({ name, type, nullable, description }) => ({
      name,
      type,
      nullable,
      ...(description !== undefined && { description }),
    })),
  };
}
