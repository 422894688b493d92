import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { InvalidCsvError } from './errors.ts';
import type { DisRecord, UploadRecord } from './records.ts';

const COLUMNS: Readonly<Record<string, 'data' | 'partitionId' | 'partitionKey' | 'explicitHashKey' | 'timestamp'>> = {
  data: 'data',
  partition_id: 'partitionId',
  partition_key: 'partitionKey',
  explicit_hash_key: 'explicitHashKey',
  timestamp: 'timestamp',
};

/**
 * The records of a CSV file, as they are read. Its first line names the columns: `data`, and any of `partition_key`,
 * `partition_id`, `explicit_hash_key`, `timestamp`, of which an empty cell is none.
 *
 * @throws {InvalidCsvError} another column, no `data`, a line with more or fewer cells, an open quote
 */
export async function* csvRecords(filename: string): AsyncGenerator<UploadRecord> {
  let columns: (typeof COLUMNS)[string][] | undefined;
  let line = 0;
  for await (const cells of rowsOf(createReadStream(filename, 'utf8'))) {
    line += 1;
    if (!columns) {
      columns = cells.map(columnOf);
      if (!columns.includes('data')) throw new InvalidCsvError('the CSV file has no column data');
      continue;
    }
    if (cells.length === 1 && cells[0] === '' && columns.length > 1) continue;
    if (cells.length !== columns.length) {
      throw new InvalidCsvError(`row ${line} of the CSV file has ${cells.length} cells, its header ${columns.length}`);
    }
    const record: { data: string } & Partial<Record<(typeof COLUMNS)[string], string | bigint>> = { data: '' };
    for (const [at, column] of columns.entries())
      if (cells[at] !== '' || column === 'data') record[column] = cells[at]!;
    if (record.timestamp !== undefined) record.timestamp = timeOf(String(record.timestamp), line);
    yield record as UploadRecord;
  }
  if (!columns) throw new InvalidCsvError('the CSV file is empty; it needs a header with the column data');
}

function columnOf(name: string): (typeof COLUMNS)[string] {
  const column = Object.hasOwn(COLUMNS, name.trim()) ? COLUMNS[name.trim()] : undefined;
  if (column) return column;
  throw new InvalidCsvError(
    `the CSV file has a column ${JSON.stringify(name.slice(0, 80))}; it may have ${Object.keys(COLUMNS).join(', ')}`,
  );
}

function timeOf(text: string, line: number): bigint {
  if (/^\d{1,19}$/.test(text)) return BigInt(text);
  throw new InvalidCsvError(`row ${line} of the CSV file has a timestamp that is no number of milliseconds`);
}

/** A record has at most 1 MiB of data; quotes written twice and the other columns do not make this of it. */
const ROW_MAX_CHARS = 16 * 1024 * 1024;

/** RFC 4180: cells in quotes may hold commas, line ends, and quotes written twice. */
async function* rowsOf(chunks: AsyncIterable<string>): AsyncGenerator<string[]> {
  let rest = '';
  let isFirst = true;
  /** Up to where `rest` has been looked at, and whether that is inside of quotes. */
  let seen = 0;
  let isQuoted = false;
  for await (const chunk of chunks) {
    rest += isFirst ? chunk.replace(/^\uFEFF/, '') : chunk;
    isFirst = false;
    let from = 0;
    for (; seen < rest.length; seen += 1) {
      const code = rest.charCodeAt(seen);
      if (code === QUOTE) isQuoted = !isQuoted;
      else if (code === LINE_FEED && !isQuoted) {
        yield cellsOf(rest.slice(from, seen).replace(/\r$/, ''));
        from = seen + 1;
      }
    }
    rest = rest.slice(from);
    seen -= from;
    if (rest.length > ROW_MAX_CHARS)
      throw new InvalidCsvError(`a row of the CSV file is over ${ROW_MAX_CHARS} characters`);
  }
  if (rest === '') return;
  if (isQuoted) throw new InvalidCsvError('the CSV file ends inside of quotes');
  yield cellsOf(rest.replace(/\r$/, ''));
}

const QUOTE = 0x22;
const LINE_FEED = 0x0a;

function cellsOf(row: string): string[] {
  if (!row.includes('"')) return row.split(',');
  const cells: string[] = [];
  for (let at = 0; ; at += 1) {
    const isQuoted = row.charCodeAt(at) === QUOTE;
    const end = isQuoted ? closingQuote(row, at + 1) + 1 : nextComma(row, at);
    const text = row.slice(at, end);
    if (!isQuoted && text.includes('"')) throw strayQuote();
    cells.push(isQuoted ? text.slice(1, -1).replaceAll('""', '"') : text);
    if (end === row.length) return cells;
    if (row[end] !== ',') throw strayQuote();
    at = end;
  }
}

/** The quote that ends a cell: it is not written twice. */
function closingQuote(row: string, from: number): number {
  for (let at = row.indexOf('"', from); at >= 0; at = row.indexOf('"', at + 2)) if (row[at + 1] !== '"') return at;
  throw strayQuote();
}

function nextComma(row: string, from: number): number {
  const at = row.indexOf(',', from);
  return at < 0 ? row.length : at;
}

const strayQuote = () => new InvalidCsvError('the CSV file has a quote inside of a cell without quotes');

/**
 * Writes `sequence_number,data,timestamp,timestamp_type` under a header, the data as base64, lines ending in CR LF. The
 * file appears once it is whole.
 */
export async function writeRecordsCsv(filename: string, records: Iterable<DisRecord>): Promise<void> {
  const filling = `${filename}.partial`;
  try {
    await pipeline(Readable.from(linesOf(records)), createWriteStream(filling));
    await rename(filling, filename);
  } catch (error) {
    await rm(filling, { force: true });
    throw error;
  }
}

function* linesOf(records: Iterable<DisRecord>): Generator<string> {
  yield 'sequence_number,data,timestamp,timestamp_type\r\n';
  for (const { sequenceNumber, data, timestamp = '', timestampType = '' } of records) {
    yield `${sequenceNumber},${data.toString('base64')},${timestamp},${quotedIfNeeded(timestampType)}\r\n`;
  }
}

function quotedIfNeeded(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
