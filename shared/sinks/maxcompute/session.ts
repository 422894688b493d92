import {
  AccessDeniedError,
  ConflictError,
  DataVersionError,
  type MaxComputeClient,
  NoSuchObjectError,
  NoSuchPartitionError,
  NoSuchProjectError,
  NoSuchSchemaError,
  NoSuchTableError,
  RowOffsetConflictError,
  WriteOutcomeUnknownError,
  WrongRowOffsetError,
} from '../../clients/maxcompute/index.ts';
import { type MaxComputeEnvironment, openClient } from '../../connectors/maxcompute/access.ts';
import { InvalidInputError, RetryableError } from '../../core/errors.ts';
import type { RecordBatch } from '../../records/schema.ts';
import {
  type SinkContext,
  type SinkSession,
  SinkStartOverError,
  SinkUndecidedError,
  type UploadPartition,
} from '../sink.ts';
import { closeStreams, commit, stampOf } from './commit.ts';
import { uploadObject } from './objects.ts';
import { RowUpload } from './rows.ts';
import type { CheckedMaxComputeTable } from './sink.ts';
import { type OpenLane, Streams } from './streams.ts';

export async function openSession(
  options: CheckedMaxComputeTable,
  context: SinkContext,
  environment: MaxComputeEnvironment,
): Promise<SinkSession> {
  const { credential, log, clock, random } = context;
  if (credential === '') throw new InvalidInputError('a maxcompute sink needs credentials: secret(…)');
  const client = openClient(credential, options, log, { clock, random, ...environment });
  return new MaxComputeSession(client, options, context);
}

class MaxComputeSession implements SinkSession {
  readonly #client: MaxComputeClient;
  readonly #options: CheckedMaxComputeTable;
  readonly #context: SinkContext;
  readonly #streams: Streams;

  constructor(client: MaxComputeClient, options: CheckedMaxComputeTable, context: SinkContext) {
    const { project, schema, table } = options;
    this.#client = client;
    this.#options = options;
    this.#context = context;
    this.#streams = new Streams(client.table({ project, schema, table }), options, context);
  }

  async upload(partition: UploadPartition): Promise<void> {
    // What holds no rows can be stored all the same.
    if (partition.records.change === 'none' && !this.#options.objects) return;
    if (this.#streams.committing) throw new SinkUndecidedError('a session that is being committed takes no more rows');
    try {
      await (this.#options.objects ? this.#uploadObject(partition) : this.#uploadRows(partition));
    } catch (error) {
      partition.signal.throwIfAborted();
      throw explained(error);
    }
  }

  async commit(): Promise<void> {
    const { overwrite } = this.#options;
    const { signal } = this.#context;
    const look = () => stampOf(this.#client, this.#options, this.#context);
    const isFirst = this.#streams.committing === undefined;
    if (isFirst) {
      // An empty table is something too, where it takes the place of a full one.
      if (this.#streams.sessionId === undefined && !overwrite) return;
      try {
        await this.#streams.session();
        const closed = await closeStreams(this.#streams, signal);
        if (closed.streams.length === 0 && !overwrite) return await this.abort();
        await this.#streams.commits({ ...closed, table: await look() });
      } catch (error) {
        throw signal.aborted ? outOfTime(error) : explained(error);
      }
    }
    await commit(this.#streams, isFirst, look, this.#options, signal);
  }

  async abort(): Promise<void> {
    const { sessionId, committing, api } = this.#streams;
    if (sessionId !== undefined && !committing) await api.abortWriteSession(sessionId);
  }

  async close(): Promise<void> {}

  async #uploadRows(partition: UploadPartition): Promise<void> {
    const batches = partition.rows()[Symbol.asyncIterator]();
    let first: IteratorResult<RecordBatch>;
    do first = await batches.next();
    while (!first.done && first.value.rows.length === 0);
    // Nothing to write: no stream.
    if (first.done) return;
    const { value } = first;
    await this.#inStream(partition, (open) => new RowUpload(open, partition).run(value, batches));
  }

  #uploadObject(partition: UploadPartition): Promise<void> {
    const { objects, ...options } = this.#options;
    return this.#inStream(partition, (open) =>
      uploadObject(open, partition, this.#streams.api, this.#streams.sessionId!, { ...options, objects: objects! }),
    );
  }

  async #inStream({ order, sizeBytes }: UploadPartition, write: (open: OpenLane) => Promise<void>): Promise<void> {
    const open = await this.#streams.open(order, sizeBytes);
    await write(open);
    // What fails keeps its stream: whoever goes on asks it where it is.
    open.lane.isBusy = false;
  }
}

const outOfTime = (cause: unknown) => new RetryableError('the time for the commit was up', { cause });

/** What an error of the service means for the transition. */
function explained(error: unknown): unknown {
  const isOtherWriter = [RowOffsetConflictError, WrongRowOffsetError, AccessDeniedError, WriteOutcomeUnknownError];
  if (isOtherWriter.some((Kind) => error instanceof Kind)) {
    return new RetryableError(`where a stream is has to be asked again: ${(error as Error).message}`, { cause: error });
  }
  const isMissing = [NoSuchProjectError, NoSuchSchemaError, NoSuchTableError, NoSuchPartitionError];
  const isGone = error instanceof NoSuchObjectError && !isMissing.some((Kind) => error instanceof Kind);
  // The session is over, or the table is another.
  if (!isGone && !(error instanceof ConflictError) && !(error instanceof DataVersionError)) return error;
  return new SinkStartOverError(`the write session is of no use any more: ${error.message}`, { cause: error });
}
