import type { ExactObject } from '../../core/lossless-json.ts';
import { lineWindows } from '../input/line-windows.ts';
import { type TextWindow, textWindows } from '../input/text-windows.ts';
import type { CommonSettings } from '../options.ts';
import { type ParseRun, RAW_MAX_CHARS } from '../parser.ts';
import { BadRaw, type ObjectBatch } from '../typing/raw.ts';
import type { JsonSettings } from './options.ts';
import { recordReader } from './record.ts';
import { scanRecords } from './scan.ts';
import { NEED, TextSource } from './source.ts';

/** Reads a record a line; blank lines are none. */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  settings: JsonSettings,
  { encoding, maxRecordBytes }: CommonSettings,
): AsyncGenerator<ObjectBatch> {
  const recordOf = recordReader(settings);
  let firstRecord = 0;
  for await (const { lines, offsetOf, chars } of lineWindows(chunks, encoding, maxRecordBytes)) {
    const records: (ExactObject | BadRaw)[] = [];
    /** Which line each record is; undefined as long as no line was left out. */
    let numbers: number[] | undefined;
    for (let index = 0; index < lines.length; index++) {
      const line = lines[index];
      if (line !== undefined && (line === '' || line.trim() === '')) {
        numbers ??= Array.from(records, (_, at) => at);
        continue;
      }
      numbers?.push(index);
      records.push(line === undefined ? tooLong(maxRecordBytes) : recordOf(line));
    }
    const lineOf = (index: number) => numbers?.[index] ?? index;
    const rawOf = (index: number) => lines[lineOf(index)]?.slice(0, RAW_MAX_CHARS);
    if (records.length > 0)
      yield { records, firstRecord, bytes: chars, offsetOf: (index) => offsetOf(lineOf(index)), rawOf };
    firstRecord += records.length;
  }
}

const tooLong = (maxRecordBytes: number) => new BadRaw(`it is longer than maxRecordBytes, ${maxRecordBytes}`, '');

/** Reads the elements of an array, or values one after another. */
export async function* readValues(
  windows: AsyncIterable<TextWindow>,
  mode: 'array' | 'concatenated',
  settings: JsonSettings,
  { maxRecordBytes }: CommonSettings,
  run: ParseRun,
): AsyncGenerator<ObjectBatch> {
  const recordOf = recordReader(settings);
  const source = new TextSource();
  const scan = scanRecords(source, { mode, path: settings.path, maxChars: maxRecordBytes, label: run.label });
  let firstRecord = 0;
  for await (const { text, isLast } of windows) {
    source.add(text);
    source.isOver = isLast;
    const records: (ExactObject | BadRaw)[] = [];
    let isDone = false;
    for (;;) {
      const { value, done } = scan.next();
      if (done) isDone = true;
      if (done || value === NEED) break;
      records.push(value!.text === undefined ? tooLong(maxRecordBytes) : recordOf(value!.text));
    }
    if (records.length > 0) yield { records, firstRecord, bytes: text.length };
    firstRecord += records.length;
    if (isDone) break;
  }
}

/** Tells by the first window what the input is: an array, a record a line, or one value after another. */
export async function* readAuto(
  chunks: AsyncIterable<Uint8Array>,
  settings: JsonSettings,
  common: CommonSettings,
  run: ParseRun,
): AsyncGenerator<ObjectBatch> {
  const windows = textWindows(chunks, common.encoding);
  const first = await windows.next();
  async function* all() {
    if (!first.done) yield first.value;
    yield* windows;
  }
  const beginning = first.done ? '' : first.value.text.trimStart();
  const mode = settings.path !== undefined || beginning.startsWith('[') ? 'array' : 'concatenated';
  // Arrays a line begin like one array.
  const isLinesOfArrays = mode === 'array' && settings.path === undefined && isWholeLine(beginning);
  yield* readValues(all(), isLinesOfArrays ? 'concatenated' : mode, settings, common, run);
}

/** Whether the first line is a value, and another one follows. */
function isWholeLine(text: string): boolean {
  const end = text.indexOf('\n');
  if (end < 0 || text.slice(end).trim() === '') return false;
  try {
    JSON.parse(text.slice(0, end));
    return true;
  } catch {
    return false;
  }
}
