import { isObject } from '../../core/json.ts';
import { type LosslessObject, parseLossless } from '../../core/lossless-json.ts';
import { InvalidRecordError } from './errors.ts';
import { unpack } from './gzip.ts';

/** A line of JSON Lines. Integers beyond 2^53 are `bigint`; members that are null may be absent as well. */
export interface TableRecord {
  readonly key: LosslessObject;
  /** Absent for a deletion. */
  readonly value?: LosslessObject;
  /** `ts`, and in incremental results `action`: `U`, which is meant if it is missing, or `D`. */
  readonly meta?: LosslessObject;
}

/** A row of TSV or CSV by column name, such as `key.id`, `value.name`, `meta.ts`. Nothing is converted, so nothing is lost. */
export type TableRow = Readonly<Record<string, string | null>>;

/**
 * The records of a JSON Lines file, packed or not, one at a time.
 *
 * @param bytes as stored, e.g. of `session.streamObject`
 * @throws {InvalidRecordError} a line that is no record, by its number; the message does not quote it
 */
export async function* readJsonLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<TableRecord> {
  let line = 0;
  for await (const text of linesOf(bytes)) {
    line++;
    if (text !== '') yield parseRecord(text, line);
  }
}

/**
 * The rows of a TSV (PostgreSQL COPY text) or CSV (RFC 4180) file, packed or not, one at a time. In TSV `\N` is null; in
 * CSV a bare `NULL` and a field of nothing are, but not `"NULL"` and `""`.
 *
 * @throws {InvalidRecordError} a row of another length than the header, or an escape that does not exist, by its number
 */
export async function* readTable(bytes: AsyncIterable<Uint8Array>, format: 'tsv' | 'csv'): AsyncGenerator<TableRow> {
  let columns: string[] | undefined;
  let row = 0;
  for await (const cells of format === 'tsv' ? tsvRows(bytes) : csvRows(bytes)) {
    row++;
    if (!columns) {
      columns = cells.map(String);
      continue;
    }
    if (cells.length !== columns.length) {
      throw new InvalidRecordError(`row ${row} has ${cells.length} fields where the header has ${columns.length}`);
    }
    const record: Record<string, string | null> = Object.create(null);
    for (const [index, column] of columns.entries()) record[column] = cells[index]!;
    yield record;
  }
}

/** More than any value that the service lets through; it cuts those of several MB. */
const RECORD_MAX_CHARS = 256 * 1024 * 1024;

function parseRecord(text: string, line: number): TableRecord {
  let record: unknown;
  try {
    record = parseLossless(text);
  } catch {
    throw new InvalidRecordError(`line ${line} is not JSON`);
  }
  if (isObject(record) && isObject(record.key)) return record as unknown as TableRecord;
  throw new InvalidRecordError(`line ${line} is no record with a key`);
}

async function* textOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decode = (chunk?: Uint8Array) => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
    } catch (error) {
      throw new InvalidRecordError('the file is not UTF-8', { cause: error });
    }
  };
  for await (const chunk of unpack(bytes, 'the file')) yield decode(chunk);
  yield decode();
}

async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest = '';
  for await (const text of textOf(bytes)) {
    let from = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
      yield rest + text.slice(from, end);
      rest = '';
      from = end + 1;
    }
    rest += text.slice(from);
    if (rest.length > RECORD_MAX_CHARS) throw new InvalidRecordError(`a line is over ${RECORD_MAX_CHARS} characters`);
  }
  if (rest !== '') yield rest;
}

async function* tsvRows(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<(string | null)[]> {
  let row = 0;
  for await (const line of linesOf(bytes)) {
    row++;
    yield line.split('\t').map((cell) => (cell === '\\N' ? null : unescapeTsv(cell, row)));
  }
}

function unescapeTsv(cell: string, row: number): string {
  if (!cell.includes('\\')) return cell;
  return cell.replace(/\\([\s\S]?)/g, (_escape, letter: string) => {
    const meant = TSV_ESCAPES[letter];
    if (meant === undefined) throw new InvalidRecordError(`row ${row} has an unknown escape`);
    return meant;
  });
}

const TSV_ESCAPES: Readonly<Record<string, string | undefined>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  0: '\0',
  '\\': '\\',
};

/** Never by line: a quoted field may hold line ends. */
async function* csvRows(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<(string | null)[]> {
  let cells: (string | null)[] = [];
  let field = '';
  let state: 'bare' | 'quoted' | 'closed' = 'bare';
  const endField = () => {
    const isNull = state === 'bare' && (field === '' || field === 'NULL');
    cells.push(isNull ? null : field);
    field = '';
    state = 'bare';
  };
  let wasReturn = false;
  for await (const text of textOf(bytes)) {
    for (let at = 0; at < text.length; ) {
      if (state === 'quoted') {
        const quote = text.indexOf('"', at);
        field += text.slice(at, quote < 0 ? text.length : quote);
        if (field.length > RECORD_MAX_CHARS)
          throw new InvalidRecordError(`a field is over ${RECORD_MAX_CHARS} characters`);
        if (quote < 0) break;
        state = 'closed';
        at = quote + 1;
        continue;
      }
      const char = text[at++]!;
      const isSecondOfTwo = wasReturn && char === '\n';
      wasReturn = char === '\r';
      if (isSecondOfTwo) continue;
      if (char === '"' && (state === 'closed' || field === '')) {
        // Twice in a quoted field it stands for itself.
        if (state === 'closed') field += '"';
        state = 'quoted';
      } else if (char === ',') endField();
      else if (char === '\n' || char === '\r') {
        endField();
        yield cells;
        cells = [];
      } else if (state === 'closed') throw new InvalidRecordError('something follows a closing quote');
      else field += char;
    }
  }
  if (state === 'quoted') throw new InvalidRecordError('the file ends within quotes');
  if (cells.length > 0 || field !== '' || (state as string) === 'closed') {
    endField();
    yield cells;
  }
}
