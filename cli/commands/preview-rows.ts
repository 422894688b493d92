import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidInputError } from '../../shared/core/errors.ts';
import { isObject } from '../../shared/core/json.ts';
import { previewRecords } from '../../shared/operations/preview.ts';
import type { ParserFormat, ParserOptions } from '../../shared/parsers/formats.ts';
import { formatOfName } from '../../shared/parsers/guess.ts';
import type { Pipeline } from '../../shared/pipelines/define.ts';
import type { Row, Schema } from '../../shared/records/schema.ts';
import { schemaToJson } from '../../shared/records/schema.ts';
import { typeText } from '../../shared/records/type-text.ts';
import { valueToJson } from '../../shared/records/value-json.ts';
import type { RefreshDeps } from '../../shared/refresh/deps.ts';
import type { Session } from '../session.ts';
import { oneLine } from '../text.ts';

export interface RowsOptions {
  readonly rows?: number;
  readonly format?: string;
  readonly options?: string;
}

const DEFAULT_ROWS = 10;
/** Enough to see the types, without reading all of a large partition. */
const SAMPLE_RECORDS = 1000;
const CELL_MAX_CHARS = 40;

/** Prints the first rows of a partition with the types of its columns. */
export async function previewRows(
  session: Session,
  pipeline: Pipeline,
  path: string,
  asked: RowsOptions,
  deps: RefreshDeps,
): Promise<void> {
  const wanted = asked.rows ?? DEFAULT_ROWS;
  const folder = await mkdtemp(join(tmpdir(), 'landfall-preview-'));
  try {
    const parserFor = (names: readonly string[], known: ParserOptions | undefined) =>
      parserOptions(names.at(-1)!, asked, known);
    const records = await previewRecords(pipeline, path, parserFor, folder, deps, session.deadline());
    const rows: Row[] = [];
    let more = false;
    for await (const batch of records) {
      for (const row of batch.rows) if (rows.length <= wanted) rows.push(row);
      more = rows.length > wanted;
      if (more) break;
    }
    const { schema = { columns: [] }, badRecords } = records.stats;
    await show(session, schema, rows.slice(0, wanted), more, badRecords, { pipeline: pipeline.name, path });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * As it is asked for; else as the pipeline says, else as the name does.
 *
 * @throws {InvalidInputError} nothing tells the format, or the options are no JSON object
 */
function parserOptions(
  name: string,
  { format, options = '{}' }: RowsOptions,
  known: ParserOptions | undefined,
): ParserOptions {
  const chosen = format ?? known?.format ?? formatOfName(name);
  if (chosen === undefined)
    throw new InvalidInputError(`${JSON.stringify(name)} does not tell its format: name it with --format`);
  let own: unknown;
  try {
    own = JSON.parse(options);
  } catch (error) {
    throw new InvalidInputError('--options must be a JSON object', { cause: error });
  }
  if (!isObject(own)) throw new InvalidInputError('--options must be a JSON object');
  const defaults = { badRecords: 'skip', ...(chosen === 'raw' ? {} : { sampleRecords: SAMPLE_RECORDS }) } as const;
  // Options of the pipeline's parser are of its own format.
  const piped = known && chosen === known.format ? known : {};
  return { ...defaults, ...piped, ...own, format: chosen as ParserFormat } as ParserOptions;
}

async function show(
  session: Session,
  schema: Schema,
  rows: readonly Row[],
  more: boolean,
  badRecords: number,
  what: { readonly pipeline: string; readonly path: string },
): Promise<void> {
  const { columns } = schema;
  if (session.json) {
    // As text, since JSON of JavaScript cannot hold a long.
    const json = rows.map(
      (row) =>
        `{${columns.map(({ name, type }, at) => `${JSON.stringify(name)}:${valueToJson(row[at] ?? null, type)}`).join(',')}}`,
    );
    const head = JSON.stringify({ ...what, more, badRecords, columns: schemaToJson(schema).columns });
    return session.print(`${head.slice(0, -1)},"rows":[${json.join(',')}]}\n`);
  }
  const table = [
    columns.map(({ name }) => name),
    columns.map(({ type }) => typeText(type)),
    ...rows.map((row) => columns.map(({ type }, at) => cellOf(row[at] ?? null, type))),
  ].map((cells) => cells.map(shortened));
  const widths = columns.map((_, at) => Math.max(...table.map((cells) => cells[at]!.length)));
  for (const cells of table) {
    await session.print(
      `${cells
        .map((cell, at) => cell.padEnd(widths[at]!))
        .join('  ')
        .trimEnd()}\n`,
    );
  }
  if (badRecords > 0) await session.note(`${badRecords} bad records were left out`);
  if (more) await session.note(`… the first ${rows.length} rows; --rows shows more`);
}

function cellOf(value: Row[number], type: Schema['columns'][number]['type']): string {
  if (value === null) return '';
  return typeof value === 'string' ? value : valueToJson(value, type);
}

function shortened(text: string): string {
  const line = oneLine(text);
  return line.length > CELL_MAX_CHARS ? `${line.slice(0, CELL_MAX_CHARS - 1)}…` : line;
}
