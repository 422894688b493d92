import {
  CommitOutcomeUnknownError,
  ConflictError,
  changeStamp,
  type MaxComputeClient,
  MetaTransactionFailedError,
  NoSuchObjectError,
  type TableName,
} from '../../clients/maxcompute/index.ts';
import { isRetryable, RetryableError } from '../../core/errors.ts';
import { type SinkContext, SinkStartOverError, SinkUndecidedError } from '../sink.ts';
import type { Committing, TableStamp } from './kept.ts';
import type { CheckedMaxComputeTable } from './sink.ts';
import type { Streams } from './streams.ts';

/** How the table is, by the REST endpoint; null if it cannot say. */
export async function stampOf(
  client: MaxComputeClient,
  { project, schema, table }: CheckedMaxComputeTable,
  { clock, log, signal }: SinkContext,
): Promise<TableStamp | null> {
  const name: TableName = { project, schema, table };
  try {
    const metadata = await client.getTable(name, { signal });
    return { ...changeStamp(metadata, clock()), rows: metadata.recordCount };
  } catch (error) {
    signal.throwIfAborted();
    log.warn('how the table is cannot be told', { error });
    return null;
  }
}

/**
 * Closes all streams that have rows.
 *
 * @returns what is to be committed
 */
export async function closeStreams(streams: Streams, signal: AbortSignal): Promise<Omit<Committing, 'table'>> {
  const { api, counts } = streams;
  const sessionId = streams.sessionId!;
  const closed: Committing['streams'][number][] = [];
  let rows: number | null = 0;
  for (const { streamId, version: streamVersion, stream } of streams.lanes) {
    const reference = { sessionId, streamId, streamVersion };
    let count: number | null = counts && stream ? stream.rowOffset : null;
    if (count === null) {
      const told = await api.getWriteStream({ ...reference, exactlyOnceMode: counts }, { signal });
      count = (counts ? told.rowOffset : null) ?? told.recordCount;
    }
    // Whether an empty stream can be closed and committed nobody says: what is not listed is dropped.
    if (count === 0) continue;
    rows = rows === null || count === null ? null : rows + count;
    await api.closeWriteStream(reference, { signal });
    closed.push({ streamId, streamVersion });
  }
  return { streams: closed, rows };
}

/**
 * Sends the commit, the same each time, until it is known what came of it.
 *
 * @param isFirst nobody can have sent it before
 * @throws {SinkStartOverError} it is certain that nothing was committed, and that nothing will be
 * @throws {SinkUndecidedError} nobody can tell
 */
export async function commit(
  streams: Streams,
  isFirst: boolean,
  look: () => Promise<TableStamp | null>,
  { overwrite }: CheckedMaxComputeTable,
  signal: AbortSignal,
): Promise<void> {
  const session = streams.sessionId!;
  const committing = streams.committing!;
  try {
    await streams.session();
    await streams.api.commitWriteSession(session, committing.streams, { signal });
  } catch (error) {
    const again = () => new RetryableError(`session ${session} is committed again`, { cause: error });
    // The session may still be there: then the same commit tells.
    if (signal.aborted || error instanceof CommitOutcomeUnknownError || error instanceof MetaTransactionFailedError)
      throw again();
    if (isRetryable(error)) throw error;
    if (!(error instanceof NoSuchObjectError || error instanceof ConflictError)) {
      throw new SinkUndecidedError(`session ${session} could not be committed; it is tried again as it is`, {
        cause: error,
      });
    }
    if (isFirst) throw new SinkStartOverError(`session ${session} can no longer be committed`, { cause: error });
    if (!(await wasCommitted(committing, look, overwrite, session, error))) {
      throw new SinkStartOverError(`session ${session} is gone, and was not committed`, { cause: error });
    }
  }
}

/** The session is not there to be asked: how the table was and is has to tell. */
async function wasCommitted(
  { table: before, rows }: Committing,
  look: () => Promise<TableStamp | null>,
  overwrite: boolean,
  session: string,
  cause: unknown,
): Promise<boolean> {
  // What takes the place of all there is may do so twice.
  if (overwrite) return false;
  const now = before && (await look());
  if (before && now) {
    if (now.text === before.text && before.isSettled) return false;
    const grown = now.rows === null || before.rows === null ? null : now.rows - before.rows;
    if (now.text !== before.text && rows !== null && grown === rows) return true;
  }
  const seen = before && now ? `the table was ${shown(before)}, and is ${shown(now)}` : 'the table cannot be asked';
  throw new SinkUndecidedError(
    `whether session ${session} was committed is not known: ${seen}; it has ${rows ?? 'an unknown number of'} rows. ` +
      'Nothing is uploaded until somebody has looked at the table, and says so: landfall sinks … --settle in|out',
    { cause },
  );
}

const shown = ({ text, rows }: TableStamp): string => `of ${text}${rows === null ? '' : ` with ${rows} rows`}`;
