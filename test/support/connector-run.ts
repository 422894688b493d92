import type { ListRun, ReadRun } from '../../shared/connectors/connector.ts';
import type { JsonValue } from '../../shared/core/json.ts';
import { type Facts, type Logger, silentLogger } from '../../shared/core/logger.ts';

export interface RecordedRun {
  readonly run: ReadRun & ListRun;
  readonly checkpoints: JsonValue[];
  /** What a job's listing told of its feed. */
  readonly positions: JsonValue[];
  readonly warnings: { message: string; facts: Facts }[];
}

/** What a connector is called with, keeping what it says. Good for a listing too: a read's run is a listing's and more. */
export function aRun(given: Partial<ReadRun & ListRun> = {}): RecordedRun {
  const checkpoints: JsonValue[] = [];
  const warnings: RecordedRun['warnings'] = [];
  const log: Logger = { ...silentLogger, warn: (message, facts = {}) => void warnings.push({ message, facts }) };
  const positions: JsonValue[] = [];
  const run: RecordedRun['run'] = {
    pipeline: 'a-pipeline',
    run: 1,
    path: [],
    attempt: 0,
    resumeAtByte: 0,
    log,
    signal: new AbortController().signal,
    remainingMs: () => Infinity,
    metric: () => {},
    checkpoint: async (cursor) => void checkpoints.push(cursor),
    position: (position) => void positions.push(position),
    expectRows: () => {},
    warn: async (message) => void warnings.push({ message, facts: {} }),
    ...given,
  };
  return { run, checkpoints, positions, warnings };
}

export async function collect<T>(items: AsyncIterable<T> | Iterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export async function bytesOf(
  chunks: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>,
): Promise<Buffer> {
  return Buffer.concat((await collect(chunks)).map((chunk) => Buffer.from(chunk)));
}
