import { InvalidInputError } from '../core/errors.ts';
import { isObject } from '../core/json.ts';
import type { ExactObject } from '../core/lossless-json.ts';
import type { OptionSpec } from '../core/options.ts';
import { decompress } from './input/decompress.ts';
import { type CommonOptions, checkParserOptions } from './options.ts';
import type { ParseRun, Parser } from './parser.ts';
import type { ObjectBatch } from './typing/raw.ts';
import { typedRecords } from './typing/typed-records.ts';

/** Numbers, `bigint`s, text, lists and objects by name; see the column types for what fits which. */
export type CustomRecord = Readonly<Record<string, unknown>>;

export interface CustomOptions {
  /**
   * Reads the decompressed bytes and emits records; each emission is awaited, which is the back-pressure. What it throws fails
   * the parse.
   */
  readonly parse: (
    reader: AsyncIterable<Uint8Array>,
    emit: (record: CustomRecord) => Promise<void>,
    run: ParseRun,
  ) => Promise<void>;
}

const SPEC = { parse: { kind: 'function', required: true } } as const satisfies Record<keyof CustomOptions, OptionSpec>;

const BATCH_RECORDS = 1024;

/** A parser in user code, behind the same typing as the others. @throws {InvalidInputError} wrong options */
export function customParser(options: CustomOptions & CommonOptions): Parser {
  const { common, own } = checkParserOptions<CustomOptions>('custom', options, SPEC);
  return {
    format: 'custom',
    parse: (chunks, run) =>
      typedRecords({ settings: common }, run, (counters) =>
        readCustom((emit) => own.parse(decompress(chunks, common, run, counters), emit, run)),
      ),
  };
}

type Emit = (record: CustomRecord) => Promise<void>;

/** Turns a function that emits into batches: it waits while a batch is typed and used. */
async function* readCustom(parse: (emit: Emit) => Promise<void>): AsyncGenerator<ObjectBatch> {
  let records: ExactObject[] = [];
  let firstRecord = 0;
  let isStopped = false;
  /** Wakes the reader below, and the function after it has read. */
  let full = Promise.withResolvers<void>();
  let taken = Promise.withResolvers<void>();
  const emit: Emit = async (record) => {
    if (!isObject(record)) throw new InvalidInputError('emit() takes an object by column name');
    if (isStopped) throw new InvalidInputError('emit() was called after the parse had ended');
    records.push(record as ExactObject);
    if (records.length < BATCH_RECORDS) return;
    full.resolve();
    await taken.promise;
  };
  let isOver = false;
  const work = parse(emit).finally(() => {
    isOver = true;
    full.resolve();
  });
  work.catch(() => {});
  try {
    while (!isOver || records.length > 0) {
      await full.promise;
      const batch = records;
      records = [];
      if (batch.length > 0) yield { records: batch, firstRecord, bytes: batch.length * 100 };
      firstRecord += batch.length;
      if (!isOver) full = Promise.withResolvers();
      taken.resolve();
      taken = Promise.withResolvers();
    }
    await work;
  } finally {
    isStopped = true;
    taken.resolve();
  }
}
