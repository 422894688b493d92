import type { ExactObject, ExactValue } from '../../core/lossless-json.ts';
import { stringifyLossless } from '../../core/lossless-json.ts';
import { type ColumnType, JSON_TEXT, STRING, type Value } from '../../records/column-type.ts';
import { ColumnInference } from '../../records/infer.ts';
import { column, type RecordBatch } from '../../records/schema.ts';
import { typeText } from '../../records/type-text.ts';
import { widen } from '../../records/widen.ts';
import { ColumnMismatchError, TooManyBadRecordsError } from '../errors.ts';
import type { CommonSettings } from '../options.ts';
import { type ParseRun, RESCUED } from '../parser.ts';
import type { BadRecords } from './bad-records.ts';
import { INVALID, type RawMode } from './converter.ts';
import type { Counters } from './counters.ts';
import { type DefaultFormats, type PlannedColumn, planColumn, rulesOf, schemaOfPlan } from './plan.ts';
import { BadRaw, type CellBatch, type ObjectBatch, type RawBatch } from './raw.ts';
import { inferColumns } from './sample.ts';
import { AGAIN, type Outcome, quoted, REFUSED, type Refused, rawText, TAKEN, Typed } from './typed.ts';

export interface TyperOptions {
  readonly settings: CommonSettings;
  /** An empty cell is null, except in a string column. */
  readonly emptyAsNull: boolean;
  readonly formats?: DefaultFormats;
  readonly run: ParseRun;
  readonly counters: Counters;
  readonly bad: BadRecords;
}

/** Names that differ in each record would make more columns than anything can hold. */
const COLUMNS_MAX = 10_000;

/**
 * Types raw records, batch by batch. A batch is typed in one pass; if it shows a column that was not known, or a value that
 * asks for a wider type, the columns are planned anew and the batch is typed again.
 */
export class Typer {
  readonly #options: TyperOptions;
  readonly #rules: ReturnType<typeof rulesOf>;
  #columns: PlannedColumn[] = [];
  #known: Set<string> = new Set();
  #mode: RawMode = 'value';
  #fields: readonly string[] | undefined;
  /** Index of each column's cell, -1 if there is none. */
  #cells: number[] = [];
  #rescuedAt = -1;
  #native: ReadonlyMap<string, ColumnType> | undefined;

  constructor(options: TyperOptions) {
    this.#options = options;
    this.#rules = rulesOf(options.settings.columns);
  }

  /** Plans the columns: those of the schema, or inferred ones. @param sample the first batches, at least one */
  open(sample: readonly RawBatch[]): void {
    const { settings, emptyAsNull } = this.#options;
    const first = sample[0];
    this.#mode = first?.fields ? first.mode : 'value';
    this.#native = first && nativeTypes(first);
    const columns = settings.schema?.columns ?? inferColumns(sample, this.#rules.bySource, emptyAsNull, settings);
    this.#columns = columns.map((one) => this.#plan(one));
    this.#rescuedAt = this.#columns.findIndex(({ name }) => name === RESCUED);
    this.#planned();
  }

  /** @returns undefined if nothing of the batch is left */
  async batch(raw: RawBatch): Promise<RecordBatch | undefined> {
    if (raw.fields && raw.fields !== this.#fields) this.#bind(raw);
    const { counters } = this.#options;
    let typed = this.#type(raw);
    while (!typed) typed = this.#type(raw);
    counters.rescuedValues += typed.rescued;
    counters.replacedValues += typed.replaced.length;
    for (const { index, column: name, isQuiet } of typed.replaced)
      if (!isQuiet) counters.warn({ record: raw.firstRecord + index, column: name, reason: 'replaced by its default' });
    const firstRow = counters.rows;
    counters.rows += typed.rows.length;
    for (const refused of typed.refused) await this.#refuse(raw, refused);
    if (typed.rows.length === 0) return undefined;
    return { schema: this.#schema, rows: typed.rows, firstRow };
  }

  get #schema() {
    return this.#options.counters.schema!;
  }

  #plan(one: PlannedColumn | RecordBatch['schema']['columns'][number]): PlannedColumn {
    const rule = this.#rules.byTarget.get(one.name) ?? {};
    return planColumn(one, rule, { ...this.#options, mode: this.#mode, ...(this.#native && { native: this.#native }) });
  }

  #planned(): void {
    const { counters, settings, run } = this.#options;
    if (this.#columns.length > COLUMNS_MAX)
      throw new ColumnMismatchError(`${run.label}: there are more than ${COLUMNS_MAX} columns`);
    this.#known = new Set(this.#columns.map(({ source }) => source));
    counters.schema = schemaOfPlan(this.#columns, settings.schema);
    if (this.#fields) this.#cells = this.#columns.map(({ source }) => this.#fields!.indexOf(source));
  }

  /** A header came: which cell goes where, and what of it is in no column. */
  #bind(raw: CellBatch): void {
    const { settings, run, emptyAsNull } = this.#options;
    this.#fields = raw.fields;
    this.#planned();
    const extra = raw.fields.filter((field) => !this.#known.has(field));
    if (extra.length > 0 && settings.onExtraField === 'fail')
      throw new ColumnMismatchError(
        `${run.label}: ${quoted(extra)} ${extra.length > 1 ? 'are' : 'is'} not in the schema`,
      );
    if (extra.length > 0 && settings.onExtraField === 'keep') {
      const wanted = new Set(extra);
      this.#append(inferColumns([raw], this.#rules.bySource, emptyAsNull, settings, (field) => wanted.has(field)));
    }
    const missing = this.#columns.filter((one, index) => this.#cells[index]! < 0 && one.name !== RESCUED);
    if (missing.length > 0 && settings.onMissingField === 'fail')
      throw new ColumnMismatchError(`${run.label}: there is no ${quoted(missing.map(({ source }) => source))}`);
  }

  #append(columns: readonly RecordBatch['schema']['columns'][number][]): void {
    const names = new Set(this.#columns.map(({ name }) => name));
    for (const one of columns) {
      if (names.has(one.name))
        throw new ColumnMismatchError(`${this.#options.run.label}: two fields want to be ${quoted([one.name])}`);
      this.#columns.push(this.#plan(one));
    }
    this.#planned();
  }

  #type(raw: RawBatch): Typed | undefined {
    const typed = new Typed();
    return raw.fields ? this.#typeCells(raw, typed) : this.#typeObjects(raw, typed);
  }

  #typeCells(raw: CellBatch, typed: Typed): Typed | undefined {
    const { settings } = this.#options;
    const columns = this.#columns;
    const cells = this.#cells;
    const extra =
      settings.onExtraField === 'rescue'
        ? raw.fields.flatMap((name, at) => (this.#known.has(name) ? [] : [{ name, at }]))
        : [];
    const { length } = columns;
    for (let index = 0; index < raw.records.length; index++) {
      const record = raw.records[index]!;
      if (record instanceof BadRaw) {
        typed.refused.push({ index, reason: record.reason });
        continue;
      }
      const row = new Array<Value>(length);
      let state: Outcome = TAKEN;
      for (let at = 0; at < length; at++) {
        const planned = columns[at]!;
        const cell = record[cells[at]!];
        if (
          cell === null ||
          cell === undefined ||
          (planned.emptyIsNull && cell === '') ||
          planned.nullValues?.has(cell)
        ) {
          row[at] = null;
          if (!planned.nullable) state = this.#settle(planned, null, row, at, index, typed);
        } else {
          const value = planned.convert(cell);
          if (value === INVALID) state = this.#settle(planned, cell, row, at, index, typed);
          else row[at] = value;
        }
        if (state !== TAKEN) break;
      }
      if (state === AGAIN) return undefined;
      if (state === REFUSED) {
        typed.forget();
        continue;
      }
      for (const { name, at } of extra)
        if (record[at] !== null && record[at] !== '') typed.rescue(typed.rows.length, name, record[at]);
      typed.rows.push(row);
    }
    return this.#rescued(typed);
  }

  #typeObjects(raw: ObjectBatch, typed: Typed): Typed | undefined {
    const { settings } = this.#options;
    const columns = this.#columns;
    const { length } = columns;
    const failsMissing = settings.onMissingField === 'fail';
    const looksForExtra = settings.onExtraField !== 'drop';
    for (let index = 0; index < raw.records.length; index++) {
      const record = raw.records[index]!;
      if (record instanceof BadRaw) {
        typed.refused.push({ index, reason: record.reason });
        continue;
      }
      const row = new Array<Value>(length);
      let state: Outcome = TAKEN;
      let found = 0;
      for (let at = 0; at < length; at++) {
        const planned = columns[at]!;
        const isInherited = planned.isInherited && !Object.hasOwn(record, planned.source);
        const value = isInherited ? undefined : record[planned.source];
        if (value !== undefined) found += 1;
        else if (failsMissing && at !== this.#rescuedAt) {
          typed.refused.push({ index, reason: `it has no field ${quoted([planned.source])}`, column: planned.name });
          state = REFUSED;
          break;
        }
        if (value === null || value === undefined || planned.nullValues?.has(value)) {
          row[at] = null;
          if (!planned.nullable) state = this.#settle(planned, null, row, at, index, typed);
        } else {
          const converted = planned.convert(value);
          if (converted === INVALID) state = this.#settle(planned, value, row, at, index, typed);
          else row[at] = converted;
        }
        if (state !== TAKEN) break;
      }
      if (state === TAKEN && looksForExtra && Object.keys(record).length > found)
        state = this.#extra(record, raw, index, typed);
      if (state === AGAIN) return undefined;
      if (state === TAKEN) typed.rows.push(row);
      else typed.forget();
    }
    return this.#rescued(typed);
  }

  /** The record has fields that no column has. */
  #extra(record: ExactObject, raw: ObjectBatch, index: number, typed: Typed): Outcome {
    const { settings } = this.#options;
    const names = Object.keys(record).filter((name) => !this.#known.has(name));
    if (names.length === 0) return TAKEN;
    if (settings.onExtraField === 'keep') {
      const unknown = (field: string) => !this.#known.has(field);
      this.#append(inferColumns([raw], this.#rules.bySource, false, settings, unknown));
      return AGAIN;
    }
    if (settings.onExtraField === 'rescue') {
      for (const name of names) typed.rescue(typed.rows.length, name, record[name]);
      return TAKEN;
    }
    typed.refused.push({ index, reason: `${quoted(names)} ${names.length > 1 ? 'are' : 'is'} not in the schema` });
    return REFUSED;
  }

  /** A value does not fit its column. */
  #settle(planned: PlannedColumn, raw: unknown, row: Value[], at: number, index: number, typed: Typed): Outcome {
    const { settings, run } = this.#options;
    const { name, rule, fallback } = planned;
    const reason =
      raw === null
        ? `${quoted([name])} may not be null`
        : isBadText(raw)
          ? `${quoted([name])} is not text of its encoding`
          : `${quoted([name])} must be ${typeText(planned.type)}`;
    if (fallback !== undefined) {
      row[at] = fallback;
      typed.replaced.push({ row: typed.rows.length, index, column: name, isQuiet: rule.suppressWarn === true });
      return TAKEN;
    }
    if (rule.onInvalid === 'fail')
      throw new TooManyBadRecordsError(`${run.label}: ${reason}, and its rule allows none`);
    const isSkipped = rule.onInvalid === 'skip';
    // Text that is lost already cannot be rescued; null is no value to rescue.
    if (!isSkipped && raw !== null && !isBadText(raw)) {
      if (settings.onMismatch === 'rescue' && planned.nullable) {
        row[at] = null;
        typed.rescue(typed.rows.length, planned.source, raw);
        return TAKEN;
      }
      if (settings.onMismatch === 'widen' && rule.type === undefined) {
        this.#columns[at] = this.#plan({ ...planned, type: this.#wider(planned, raw) });
        this.#planned();
        return AGAIN;
      }
    }
    typed.refused.push({ index, reason, column: name, isSkipped });
    return REFUSED;
  }

  #wider(planned: PlannedColumn, raw: unknown) {
    const inference = new ColumnInference(this.#options.settings);
    if (this.#mode === 'text' && typeof raw === 'string') inference.addText(raw);
    else inference.addValue(raw as ExactValue);
    const type = widen(planned.type, inference.result().type);
    // If that is no step up, only text takes it.
    return typeText(type) === typeText(planned.type) ? STRING : type;
  }

  /** Gives rows their `_rescued`; the column comes with the first value. */
  #rescued(typed: Typed): Typed {
    if (typed.rescues.size === 0) return typed;
    if (this.#rescuedAt < 0) {
      this.#rescuedAt = this.#columns.length;
      this.#append([column(RESCUED, JSON_TEXT)]);
      for (const row of typed.rows) (row as Value[]).push(null);
    }
    for (const [index, values] of typed.rescues) {
      (typed.rows[index] as Value[])[this.#rescuedAt] = stringifyLossless(Object.fromEntries(values));
      typed.rescued += values.length;
    }
    return typed;
  }

  async #refuse(raw: RawBatch, { index, reason, column: name, isSkipped }: Refused): Promise<void> {
    const record = raw.firstRecord + index;
    if (isSkipped) {
      this.#options.counters.skippedRecords += 1;
      if (name === undefined || !this.#rules.byTarget.get(name)?.suppressWarn)
        this.#options.counters.warn({ record, reason, ...(name !== undefined && { column: name }) });
      return;
    }
    const given = raw.records[index]!;
    const text = given instanceof BadRaw ? given.raw : (raw.rawOf?.(index) ?? rawText(raw, given));
    const offset = raw.offsetOf?.(index);
    await this.#options.bad.add({
      record,
      reason,
      raw: text,
      ...(offset !== undefined && { offset }),
      ...(name !== undefined && { column: name }),
    });
  }
}

function nativeTypes(raw: RawBatch): ReadonlyMap<string, ColumnType> | undefined {
  return raw.fields && raw.schema && new Map(raw.schema.columns.map(({ name, type }) => [name, type]));
}

const isBadText = (raw: unknown) => typeof raw === 'string' && !raw.isWellFormed();
