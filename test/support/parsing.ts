import { newParser, type ParserOptions } from '../../shared/parsers/formats.ts';
import type { BadRecord, ParseRun, ParseStats } from '../../shared/parsers/parser.ts';
import type { Row } from '../../shared/records/schema.ts';
import { typeText } from '../../shared/records/type-text.ts';
import { inChunks } from './byte-sinks.ts';

export interface Parsed {
  readonly names: readonly string[];
  readonly types: readonly string[];
  readonly rows: readonly Row[];
  readonly stats: ParseStats;
  readonly quarantined: readonly BadRecord[];
}

/** Parses the whole input; rows of batches with fewer columns are as they came. */
export async function parseAll(
  options: ParserOptions,
  input: Uint8Array | string | AsyncIterable<Uint8Array>,
  run: Partial<ParseRun> & { readonly chunkSize?: number } = {},
): Promise<Parsed> {
  const parser = await newParser(options);
  const chunks = typeof input === 'string' || input instanceof Uint8Array ? inChunks(input, run.chunkSize) : input;
  const quarantined: BadRecord[] = [];
  const parsed = parser.parse(chunks, { label: 'the input', quarantine: (bad) => void quarantined.push(bad), ...run });
  const rows: Row[] = [];
  for await (const batch of parsed) for (const row of batch.rows) rows.push(row);
  const columns = parsed.stats.schema?.columns ?? [];
  const names = columns.map(({ name }) => name);
  return { names, types: columns.map(({ type }) => typeText(type)), rows, stats: parsed.stats, quarantined };
}
