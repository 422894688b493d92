import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { newParser, type ParserOptions } from '../../../shared/parsers/formats.ts';
import type { Row } from '../../../shared/records/schema.ts';
import { inChunks } from '../../support/byte-sinks.ts';
import { holds, outcomeOf } from '../target.ts';

let folder: string | undefined;

/** A folder for what parsers spool, gone at the end. */
function temporaryFolder(): string {
  if (folder) return folder;
  const made = mkdtempSync(join(tmpdir(), 'landfall-fuzz-'));
  process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  folder = made;
  return made;
}

/** Beyond what the inputs made here can hold, unless something multiplies. */
const ROWS_MAX = 1_000_000;
const COMPARED_ROWS = 2000;

interface Parsed {
  readonly outcome: string;
  readonly rows: readonly Row[];
  readonly count: number;
}

async function parsed(options: ParserOptions, bytes: Uint8Array, chunkSize: number): Promise<Parsed> {
  const rows: Row[] = [];
  let count = 0;
  const outcome = await outcomeOf(async () => {
    const parser = await newParser(options);
    const records = parser.parse(inChunks(bytes, chunkSize), {
      label: 'x',
      temporaryFolder: temporaryFolder(),
      quarantine: () => {},
    });
    for await (const batch of records) {
      count += batch.rows.length;
      holds(count <= ROWS_MAX, `an input of ${bytes.length} bytes has no more than ${ROWS_MAX} rows`);
      if (rows.length < COMPARED_ROWS) rows.push(...batch.rows.slice(0, COMPARED_ROWS - rows.length));
    }
  });
  return { outcome, rows, count };
}

/**
 * Parses an input whole, and in small pieces if it is not too long: its rows and how it ends do not depend on how it came.
 *
 * @param comparesPieces false where a format reads at random anyway
 */
export async function parseBothWays(options: ParserOptions, bytes: Uint8Array, comparesPieces = true): Promise<string> {
  const whole = await parsed(options, bytes, 64 * 1024);
  // Raw records are the pieces themselves.
  if (comparesPieces && options.format !== 'raw' && bytes.length > 1 && bytes.length < PIECES_MAX_BYTES) {
    const pieces = await parsed(options, bytes, 1 + (bytes.length % 7));
    holds(whole.outcome === pieces.outcome, `in pieces it ends alike: ${whole.outcome} | ${pieces.outcome}`);
    holds(whole.count === pieces.count || whole.outcome !== 'done', 'in pieces it has as many rows');
    const common = Math.min(whole.rows.length, pieces.rows.length);
    holds(
      isDeepStrictEqual(whole.rows.slice(0, common), pieces.rows.slice(0, common)),
      'in pieces it has the same rows',
    );
  }
  return `${whole.outcome} ${Math.min(3, whole.count)}`;
}

const PIECES_MAX_BYTES = 3000;
