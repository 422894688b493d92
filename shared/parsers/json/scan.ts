import { CorruptInputError } from '../errors.ts';
import { type Need, peek, type ScannedValue, scanValue, type TextSource } from './source.ts';

const QUOTE = 34;
const COLON = 58;
const COMMA = 44;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;

export interface ScanOptions {
  readonly mode: 'array' | 'concatenated';
  readonly path: readonly string[] | undefined;
  readonly maxChars: number;
  readonly label: string;
}

/** Yields the text of each record, and asks for more of the input in between. @throws {CorruptInputError} */
export function* scanRecords(source: TextSource, options: ScanOptions): Generator<Need | ScannedValue, void> {
  const { mode, path, maxChars } = options;
  if (path !== undefined) yield* seek(source, path, options);
  if (mode === 'concatenated' && path === undefined) {
    while ((yield* peek(source)) !== -1) {
      const value = yield* scanValue(source, maxChars);
      yield value;
      // A stray bracket or comma between values would be looked at for ever.
      if (value.text === '') throw corrupt(options, 'something between its values is no JSON');
    }
    return;
  }
  yield* elements(source, options);
  // What is around the records is not looked at.
  if (path === undefined && (yield* peek(source)) !== -1)
    throw corrupt(options, 'something follows the end of its array');
}

function* elements(source: TextSource, options: ScanOptions): Generator<Need | ScannedValue, void> {
  if ((yield* peek(source)) !== OPEN_BRACKET) throw corrupt(options, 'its records are not in an array');
  source.at += 1;
  if ((yield* peek(source)) === CLOSE_BRACKET) {
    source.at += 1;
    return;
  }
  for (;;) {
    const next = yield* peek(source);
    if (next === -1) throw corrupt(options, 'its array never ends');
    const value = yield* scanValue(source, options.maxChars);
    if (value.text === '') throw corrupt(options, 'an element of its array is no JSON');
    const after = yield* peek(source);
    if (after === -1) throw corrupt(options, 'its array never ends');
    yield value;
    source.at += 1;
    if (after === CLOSE_BRACKET) return;
    if (after !== COMMA) throw corrupt(options, 'two elements of its array have no comma between them');
  }
}

/** Goes to the value that the pointer names. */
function* seek(source: TextSource, path: readonly string[], options: ScanOptions): Generator<Need, void> {
  for (const part of path) {
    const code = yield* peek(source);
    if (code === OPEN_BRACE) yield* seekMember(source, part, options);
    else if (code === OPEN_BRACKET) yield* seekElement(source, part, options);
    else throw missing(options);
  }
}

function* seekMember(source: TextSource, name: string, options: ScanOptions): Generator<Need, void> {
  source.at += 1;
  for (;;) {
    const code = yield* peek(source);
    if (code === CLOSE_BRACE || code === -1) throw missing(options);
    if (code === COMMA) {
      source.at += 1;
      continue;
    }
    if (code !== QUOTE) throw corrupt(options, 'a member of an object has no name');
    const { text } = yield* scanValue(source, options.maxChars);
    if ((yield* peek(source)) !== COLON) throw corrupt(options, 'a member of an object has no value');
    source.at += 1;
    if (text !== undefined && nameOf(text) === name) return;
    yield* peek(source);
    yield* scanValue(source, 0);
  }
}

function* seekElement(source: TextSource, index: string, options: ScanOptions): Generator<Need, void> {
  source.at += 1;
  for (let left = /^\d{1,9}$/.test(index) ? Number(index) : -1; ; left--) {
    const code = yield* peek(source);
    if (left < 0 || code === CLOSE_BRACKET || code === -1) throw missing(options);
    if (left === 0) return;
    yield* scanValue(source, 0);
    if ((yield* peek(source)) === COMMA) source.at += 1;
  }
}

function nameOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const corrupt = ({ label }: ScanOptions, why: string) => new CorruptInputError(`${label}: ${why}`);

const missing = (options: ScanOptions) =>
  corrupt(options, `there is nothing at recordsPath ${JSON.stringify(`/${options.path?.join('/') ?? ''}`)}`);
