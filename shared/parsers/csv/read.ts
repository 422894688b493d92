import { CorruptInputError } from '../errors.ts';
import { textWindows } from '../input/text-windows.ts';
import type { CommonSettings } from '../options.ts';
import { type ParseRun, RAW_MAX_CHARS } from '../parser.ts';
import { BadRaw, type CellBatch } from '../typing/raw.ts';
import { CopyTextScanner } from './copy-text.ts';
import { type Regrouping, regrouping } from './expanded.ts';
import { headerNames } from './header.ts';
import type { CsvSettings } from './options.ts';
import { type Cell, CsvScanner, type Scan, type Scanner, type Skipper } from './scanner.ts';

/** Reads a delimited file record by record; what is bad stands in its place. */
export async function* readCsv(
  chunks: AsyncIterable<Uint8Array>,
  settings: CsvSettings,
  common: CommonSettings,
  run: ParseRun,
): AsyncGenerator<CellBatch> {
  const reader = new CsvReader(settings, common, run);
  for await (const { text, isLast, bytesBefore } of textWindows(chunks, common.encoding)) {
    const batch = reader.window(text, isLast, bytesBefore);
    if (batch) yield batch;
  }
}

class CsvReader {
  readonly #settings: CsvSettings;
  readonly #common: CommonSettings;
  readonly #run: ParseRun;
  readonly #scanner: Scanner;
  /** Text of a record that is not complete, where it begins, and how much there must be before it is worth another look. */
  #rest = '';
  #restOffset: number | undefined;
  #worthChars = 0;
  #skipper: Skipper | undefined;
  #linesToSkip: number;
  #header: (readonly Cell[])[] = [];
  #isHeaderRead: boolean;
  #fields: readonly string[] | undefined;
  #width = 0;
  #regrouping: Regrouping | undefined;
  #record = 0;

  constructor(settings: CsvSettings, common: CommonSettings, run: ParseRun) {
    this.#settings = settings;
    this.#common = common;
    this.#run = run;
    const isCopyText = settings.dialect === 'copy-text' || settings.dialect === 'dap-tsv';
    this.#scanner = isCopyText ? new CopyTextScanner(settings) : new CsvScanner(settings);
    this.#linesToSkip = settings.skipLinesBefore;
    this.#isHeaderRead = !settings.header;
  }

  window(text: string, isLast: boolean, bytesBefore: (at: number) => number | undefined): CellBatch | undefined {
    const { maxRecordBytes } = this.#common;
    let from = 0;
    const tooLong: string[] = [];
    if (this.#skipper) {
      from = this.#skipper.skip(text);
      if (from < 0) return undefined;
      this.#skipper = undefined;
    }
    const carried = this.#rest.length;
    const carriedOffset = this.#restOffset;
    const whole = carried > 0 ? this.#rest + (from > 0 ? text.slice(from) : text) : text;
    const shift = carried > 0 ? carried - from : 0;
    const offsetAt = (at: number) => (at < carried ? carriedOffset : bytesBefore(at - shift));
    if (whole.length < this.#worthChars && !isLast) {
      this.#rest = whole;
      return undefined;
    }
    let at = carried > 0 ? 0 : from;
    at = this.#preamble(whole, at, isLast);
    const scan = at < 0 ? undefined : this.#scanner.scan(whole, at, isLast);
    const end = scan?.end ?? -at - 1;
    const left = whole.length - end;
    if (left > maxRecordBytes && !isLast) {
      if (!scan)
        throw new CorruptInputError(`${this.#run.label}: its header is longer than maxRecordBytes, ${maxRecordBytes}`);
      tooLong.push(whole.slice(end, end + RAW_MAX_CHARS));
      this.#skipper = this.#scanner.newSkipper();
      this.#skipper.skip(whole.slice(end));
      this.#rest = '';
      this.#worthChars = 0;
    } else {
      this.#restOffset = left > 0 && !isLast ? offsetAt(end) : undefined;
      this.#rest = isLast ? '' : whole.slice(end);
      // Twice as much each time, so that a long record is not looked at again and again.
      this.#worthChars = this.#rest.length * 2;
    }
    return scan && this.#batch(whole, scan, offsetAt, tooLong);
  }

  /** Lines before the header, the header, lines behind it. @returns where the records begin; -1 - position if more is needed */
  #preamble(text: string, start: number, isLast: boolean): number {
    const { headerLineCount, skipLinesAfterHeader } = this.#settings;
    let at = this.#skipLines(text, start, isLast);
    if (at < 0 || this.#isHeaderRead) return at;
    while (this.#header.length < headerLineCount) {
      const scan = this.#scanner.scan(text, at, isLast, 1);
      at = scan.end;
      const record = scan.records[0];
      if (!record) return isLast ? at : -at - 1;
      this.#header.push(record.cells);
    }
    this.#isHeaderRead = true;
    this.#linesToSkip = skipLinesAfterHeader;
    at = this.#skipLines(text, at, isLast);
    return at;
  }

  #skipLines(text: string, start: number, isLast: boolean): number {
    let at = start;
    for (; this.#linesToSkip > 0; this.#linesToSkip--) {
      const next = this.#scanner.lineEnd(text, at, isLast);
      if (next < 0) return -at - 1;
      at = next;
    }
    return at;
  }

  #batch(
    text: string,
    { records, starts, ends }: Scan,
    offsetAt: (at: number) => number | undefined,
    tooLong: readonly string[],
  ): CellBatch | undefined {
    if (records.length === 0 && tooLong.length === 0 && this.#header.length === 0) return undefined;
    const fields = this.#names(records[0]?.cells.length ?? 0);
    const { maxRecordBytes } = this.#common;
    const mayBeLong = text.length > maxRecordBytes;
    const rawAt = (index: number) => text.slice(starts[index], Math.min(ends[index]!, starts[index]! + RAW_MAX_CHARS));
    const taken = new Array<readonly unknown[] | BadRaw>(records.length);
    for (let index = 0; index < records.length; index++) {
      const { cells, reason } = records[index]!;
      const isLong = mayBeLong && ends[index]! - starts[index]! > maxRecordBytes;
      const why = isLong ? `it is longer than maxRecordBytes, ${maxRecordBytes}` : reason;
      taken[index] = why === undefined ? this.#ragged(cells, rawAt, index) : new BadRaw(why, rawAt(index));
    }
    for (const raw of tooLong) taken.push(new BadRaw(`it is longer than maxRecordBytes, ${maxRecordBytes}`, raw));
    const firstRecord = this.#record;
    this.#record += taken.length;
    return {
      fields,
      mode: 'text',
      records: taken,
      firstRecord,
      bytes: text.length,
      offsetOf: (index) => (index < starts.length ? offsetAt(starts[index]!) : undefined),
      rawOf: rawAt,
    };
  }

  #names(width: number): readonly string[] {
    if (!this.#fields) {
      const names = headerNames(this.#header, width, this.#settings, this.#run.label);
      this.#width = names.length;
      this.#regrouping = this.#settings.dialect.startsWith('dap-') ? regrouping(names, this.#common.schema) : undefined;
      this.#fields = this.#regrouping?.fields ?? names;
    }
    return this.#fields;
  }

  #ragged(cells: readonly Cell[], rawAt: (index: number) => string, index: number): readonly unknown[] | BadRaw {
    const width = this.#width;
    let even: readonly Cell[] = cells;
    if (cells.length !== width) {
      const { raggedRows } = this.#settings;
      const fits = cells.length < width ? raggedRows === 'pad' : raggedRows === 'truncate';
      if (!fits) return new BadRaw(`it has ${cells.length} cells where the header has ${width}`, rawAt(index));
      even =
        cells.length < width ? [...cells, ...new Array<null>(width - cells.length).fill(null)] : cells.slice(0, width);
    }
    return this.#regrouping ? this.#regrouping.regroup(even) : even;
  }
}
