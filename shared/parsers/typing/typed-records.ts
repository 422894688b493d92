import { MIB } from '../../core/units.ts';
import type { RecordBatch } from '../../records/schema.ts';
import { EmptyInputError } from '../errors.ts';
import type { CommonSettings } from '../options.ts';
import type { ParsedRecords, ParseRun } from '../parser.ts';
import { BadRecords } from './bad-records.ts';
import { Counters } from './counters.ts';
import type { DefaultFormats } from './plan.ts';
import type { RawBatch } from './raw.ts';
import { Typer } from './typer.ts';

/** More than a sample may hold of records whose text is in memory. */
const SAMPLE_MAX_BYTES = 64 * MIB;

export interface TypingOptions {
  readonly settings: CommonSettings;
  /** See {@link TyperOptions}; default false. */
  readonly emptyAsNull?: boolean;
  readonly formats?: DefaultFormats;
}

/** Types what a reader yields: with the schema that was given, or one inferred from the first records. */
export function typedRecords(
  options: TypingOptions,
  run: ParseRun,
  read: (counters: Counters) => AsyncIterable<RawBatch>,
): ParsedRecords {
  const counters = new Counters(options.settings.maxWarnCount);
  return {
    stats: counters,
    [Symbol.asyncIterator]: () => batchesOf(options, run, counters, read(counters)),
  };
}

async function* batchesOf(
  options: TypingOptions,
  run: ParseRun,
  counters: Counters,
  raws: AsyncIterable<RawBatch>,
): AsyncGenerator<RecordBatch> {
  const { settings } = options;
  const bad = new BadRecords(settings, run, counters);
  const typer = new Typer({ emptyAsNull: false, ...options, run, counters, bad });
  let sample: RawBatch[] | undefined = [];
  let sampled = 0;
  let sampledBytes = 0;
  for await (const raw of raws) {
    run.signal?.throwIfAborted();
    if (!sample) {
      const batch = await typer.batch(raw);
      if (batch) yield batch;
      continue;
    }
    sample.push(raw);
    sampled += raw.records.length;
    sampledBytes += raw.bytes;
    // Bad records are no sample of anything: with a schema, one batch is enough to begin.
    if (!settings.schema && sampled < settings.sampleRecords && sampledBytes < SAMPLE_MAX_BYTES) continue;
    const first = sample;
    sample = undefined;
    yield* opened(typer, first);
  }
  if (sample && sample.length > 0) yield* opened(typer, sample);
  if (counters.expandedBytes === 0 && counters.rows === 0 && settings.emptyInput === 'fail')
    throw new EmptyInputError(`${run.label} is empty, and emptyInput is "fail"`);
  bad.finish();
}

async function* opened(typer: Typer, sample: RawBatch[]): AsyncGenerator<RecordBatch> {
  typer.open(sample);
  // Let go of each as soon as it is typed.
  for (let raw = sample.shift(); raw; raw = sample.shift()) {
    const batch = await typer.batch(raw);
    if (batch) yield batch;
  }
}
