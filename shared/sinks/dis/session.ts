import type { DisClient, UploadOptions } from '../../clients/dis/index.ts';
import { BATCH_MAX_BYTES } from '../../clients/dis/limits.ts';
import type { RetryPolicy } from '../../clients/dis/retry.ts';
import { type DisEnvironment, openClient } from '../../connectors/dis/access.ts';
import { InvalidInputError, RetryableError } from '../../core/errors.ts';
import type { SinkContext, SinkSession, UploadPartition } from '../sink.ts';
import { type Candidate, candidatesOf } from './records.ts';
import type { CheckedDisStream } from './sink.ts';
import { Window, type WindowTarget } from './window.ts';

/** Requests of one landed partition at a time. */
const CONCURRENCY = 4;

/** Throttling slows an upload down for a while; then its message comes again later. */
const RETRY: RetryPolicy = {
  requests: { repeats: 3, firstMs: 250, maxMs: 5000 },
  records: { repeats: 8, firstMs: 100, maxMs: 5000 },
};

export async function openSession(
  options: CheckedDisStream,
  { credential, log, clock, signal }: SinkContext,
  environment: DisEnvironment,
): Promise<SinkSession> {
  if (credential === '') throw new InvalidInputError('a dis sink needs credentials: secret(…)');
  const { recordFormat } = options;
  const client = openClient(credential, options, log, { clock, ...environment }, { retry: RETRY, recordFormat });
  try {
    return new DisSession(options, client, await uploadOptions(client, options, signal), clock);
  } catch (error) {
    await client.close();
    throw error;
  }
}

/** What is known of the stream when it is opened: how its keys are spread, and how much a request may hold. */
async function uploadOptions(
  client: DisClient,
  { stream, ordered }: CheckedDisStream,
  signal: AbortSignal,
): Promise<UploadOptions> {
  const { status = 'RUNNING', streamType, writablePartitionCount } = await client.getStream(stream, { signal });
  if (status !== 'RUNNING') throw new RetryableError(`the stream ${stream} is ${status}`);
  return {
    ordered,
    concurrency: CONCURRENCY,
    ...(writablePartitionCount ? { partitionCount: writablePartitionCount } : {}),
    streamType: streamType === 'ADVANCED' ? 'ADVANCED' : 'COMMON',
  };
}

class DisSession implements SinkSession {
  readonly #options: CheckedDisStream;
  readonly #target: WindowTarget;
  readonly #windowBytes: number;

  constructor(options: CheckedDisStream, client: DisClient, upload: UploadOptions, now: () => Date) {
    this.#options = options;
    this.#target = { client, stream: options.stream, options: upload, now };
    this.#windowBytes = CONCURRENCY * BATCH_MAX_BYTES[upload.streamType ?? 'COMMON'];
  }

  async upload(partition: UploadPartition): Promise<void> {
    const { batchRecords, records } = this.#options;
    if (partition.records.change === 'none' && records !== 'objects') return;
    let window: Candidate[] = [];
    let sizeBytes = 0;
    const send = async () => {
      partition.signal.throwIfAborted();
      await new Window(window, partition, this.#target).upload();
      window = [];
      sizeBytes = 0;
    };
    for await (const candidate of candidatesOf(partition, this.#options)) {
      if (window.length > 0 && sizeBytes + candidate.sizeBytes > this.#windowBytes) await send();
      window.push(candidate);
      sizeBytes += candidate.sizeBytes;
      if (window.length >= batchRecords) await send();
    }
    if (window.length > 0) await send();
  }

  close(): Promise<void> {
    return this.#target.client.close();
  }
}
