import { InvalidInputError } from '../core/errors.ts';
import type { OptionSpec } from '../core/options.ts';
import { type ColumnType, STRING, TIMESTAMP } from '../records/column-type.ts';
import { type Column, column } from '../records/schema.ts';
import { typeFromJson } from '../records/type-text.ts';
import { GROK_PATTERNS, HTTP_DATE_FORMAT } from './grok-patterns.ts';
import { decompress } from './input/decompress.ts';
import { lineWindows } from './input/line-windows.ts';
import { type CommonOptions, type CommonSettings, checkParserOptions } from './options.ts';
import { type Parser, RAW_MAX_CHARS } from './parser.ts';
import { tooLong } from './text.ts';
import { BadRaw, type CellBatch } from './typing/raw.ts';
import { typedRecords } from './typing/typed-records.ts';

export interface GrokOptions {
  /** `%{NAME:field:type}` and regular expressions, or the presets `common` and `combined` of Apache's access log. */
  readonly pattern: string;
  /** More patterns by name, or others for known names. */
  readonly patternDefinitions?: Readonly<Record<string, string>>;
  /** A record begins with a line that this regular expression finds; the lines behind it belong to it. */
  readonly multilineStart?: string;
  /** Default `bad`. */
  readonly onNoMatch?: 'bad' | 'skip';
}

const SPEC = {
  pattern: { kind: 'string', required: true, min: 1 },
  patternDefinitions: { kind: 'object', of: 'string' },
  multilineStart: { kind: 'string', min: 1 },
  onNoMatch: { kind: 'string', oneOf: ['bad', 'skip'], default: 'bad' },
} as const satisfies Record<keyof GrokOptions, OptionSpec>;

const PRESETS: Readonly<Record<string, string>> = {
  __proto__: null as never,
  common: '%{COMMONAPACHELOG}',
  combined: '%{COMBINEDAPACHELOG}',
};

/** @throws {InvalidInputError} wrong options, a pattern that is not known or names itself, a field twice */
export function grokParser(options: GrokOptions & CommonOptions): Parser {
  const { common, own } = checkParserOptions<GrokOptions>('grok', options, SPEC);
  const preset = PRESETS[own.pattern];
  const compiled = compileGrok(preset ?? own.pattern, { ...GROK_PATTERNS, ...own.patternDefinitions });
  const start = own.multilineStart === undefined ? undefined : regexOf(own.multilineStart, 'multilineStart');
  const columns = compiled.columns.map((one) => (preset && one.name === 'time' ? { ...one, type: TIMESTAMP } : one));
  const rules = preset ? [...common.columns, { targetName: 'time', format: HTTP_DATE_FORMAT }] : common.columns;
  const settings: CommonSettings = { ...common, schema: common.schema ?? { columns }, columns: rules };
  const reader = {
    regex: compiled.regex,
    fields: columns.map(({ name }) => name),
    start,
    skips: own.onNoMatch === 'skip',
  };
  return {
    format: 'grok',
    parse: (chunks, run) =>
      typedRecords({ settings, emptyAsNull: true }, run, (counters) =>
        readGrok(decompress(chunks, settings, run, counters), reader, settings),
      ),
  };
}

const REFERENCE = /%\{(\w+)(?::([^:}]+))?(?::([^}]+))?\}/g;
const DEPTH_MAX = 32;

/** The regular expression of a grok pattern, with a group per field, and the fields with their types. */
function compileGrok(pattern: string, known: Readonly<Record<string, string>>): { regex: RegExp; columns: Column[] } {
  const columns: Column[] = [];
  const expand = (text: string, depth: number): string => {
    if (depth > DEPTH_MAX) throw new InvalidInputError('parser "grok": its patterns name each other without end');
    return text.replaceAll(REFERENCE, (_whole, name: string, field?: string, type?: string) => {
      const inner = Object.hasOwn(known, name) ? known[name] : undefined;
      if (inner === undefined) throw new InvalidInputError(`parser "grok": there is no pattern ${name}`);
      if (field === undefined) return `(?:${expand(inner, depth + 1)})`;
      if (columns.some((one) => one.name === field))
        throw new InvalidInputError(`parser "grok": its pattern has the field ${JSON.stringify(field)} twice`);
      // Names of fields may have characters that those of groups may not: groups are numbered by us.
      const group = `f${columns.length}`;
      columns.push(column(field, type === undefined ? STRING : typeOf(type)));
      return `(?<${group}>${expand(inner, depth + 1)})`;
    });
  };
  const regex = regexOf(`^(?:${expand(pattern, 0)})$`, 'pattern');
  if (columns.length === 0) throw new InvalidInputError('parser "grok": its pattern names no field');
  return { regex, columns };
}

const typeOf = (text: string): ColumnType => typeFromJson(text, 'parser "grok": the type of a field');

function regexOf(source: string, option: string): RegExp {
  try {
    return new RegExp(source, 's');
  } catch (error) {
    throw new InvalidInputError(`parser "grok": "${option}" is no regular expression`, { cause: error });
  }
}

interface GrokReader {
  readonly regex: RegExp;
  readonly fields: readonly string[];
  readonly start: RegExp | undefined;
  readonly skips: boolean;
}

/** An expression that goes back and forth over a long text runs out of stack: then it does not match. */
function matched(regex: RegExp, text: string): RegExpExecArray | null {
  try {
    return regex.exec(text);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

async function* readGrok(
  bytes: AsyncIterable<Uint8Array>,
  reader: GrokReader,
  settings: CommonSettings,
): AsyncGenerator<CellBatch> {
  const { regex, fields, start, skips } = reader;
  const { encoding, maxRecordBytes } = settings;
  let firstRecord = 0;
  /** The record whose lines are still coming. */
  let pending: { text: string; offset: number | undefined; isTooLong: boolean } | undefined;
  let records: (readonly unknown[] | BadRaw)[] = [];
  let offsets: (number | undefined)[] = [];
  let raws: string[] = [];
  const finish = ({ text, offset, isTooLong }: NonNullable<typeof pending>) => {
    const match = isTooLong ? undefined : matched(regex, text);
    if (!match && !isTooLong && (skips || text === '')) return;
    const bad = isTooLong
      ? tooLong(settings, text)
      : new BadRaw('it does not match the pattern', text.slice(0, RAW_MAX_CHARS));
    records.push(match?.groups ? fields.map((_, index) => match.groups![`f${index}`] ?? null) : bad);
    offsets.push(offset);
    raws.push(text.slice(0, RAW_MAX_CHARS));
  };
  const taken = (chars: number): CellBatch => {
    const [theirOffsets, theirRaws] = [offsets, raws];
    const batch: CellBatch = {
      fields,
      mode: 'text',
      records,
      firstRecord,
      bytes: chars,
      offsetOf: (index) => theirOffsets[index],
      rawOf: (index) => theirRaws[index],
    };
    firstRecord += records.length;
    [records, offsets, raws] = [[], [], []];
    return batch;
  };
  for await (const { lines, offsetOf, chars } of lineWindows(bytes, encoding, maxRecordBytes)) {
    for (const [index, line] of lines.entries()) {
      const begins = !start || !pending || (line !== undefined && start.test(line));
      if (begins) {
        if (pending) finish(pending);
        pending = { text: line ?? '', offset: offsetOf(index), isTooLong: line === undefined };
      } else if (pending && !pending.isTooLong) {
        pending.text += `\n${line ?? ''}`;
        pending.isTooLong = line === undefined || pending.text.length > maxRecordBytes;
      }
    }
    if (records.length > 0) yield taken(chars);
  }
  if (pending) finish(pending);
  if (records.length > 0) yield taken(0);
}
