import type { DumpTask } from './dump-tasks.ts';
import { AlreadyExistsError, InvalidRequestError, NotFoundError, type RefusedError } from './errors.ts';
import type { Stream } from './streams.ts';

// A request whose answer was lost may have worked: its repetition is then refused. What is there decides.

/** Of a deletion: it is gone. */
export async function isGone(refusal: RefusedError): Promise<boolean> {
  return refusal instanceof NotFoundError;
}

export async function isThere(refusal: RefusedError, look: () => Promise<boolean>): Promise<boolean> {
  return refusal instanceof AlreadyExistsError && look();
}

/** Of a change of the partition count: the service refuses the count that it has. */
export async function isScaled(
  refusal: RefusedError,
  count: number,
  getStream: () => Promise<Stream>,
): Promise<boolean> {
  if (!(refusal instanceof InvalidRequestError)) return false;
  const { writablePartitionCount, updatePartitionCounts = [] } = await getStream();
  const newestFirst = updatePartitionCounts.toSorted((a, b) => (b.createTimestamp ?? 0) - (a.createTimestamp ?? 0));
  return writablePartitionCount === count || newestFirst[0]?.targetPartitionCount === count;
}

/** Whether a stream is as it was to be created. What either does not say is left out. */
export function isStreamAs(stream: Stream, body: Readonly<Record<string, unknown>>): boolean {
  const pairs: readonly (readonly [unknown, unknown])[] = [
    [stream.writablePartitionCount || undefined, body.partition_count],
    [stream.retentionPeriod, body.data_duration],
    [stream.streamType, body.stream_type],
    [stream.dataType, body.data_type],
    [stream.compressionFormat, body.compression_format],
  ];
  return pairs.every(([is, was]) => is === undefined || was === undefined || is === was);
}

export function isTaskAs(task: DumpTask, attributes: Readonly<Record<string, unknown>>): boolean {
  const sent = (attributes.obsDestinationDescriptor ?? {}) as Readonly<Record<string, unknown>>;
  return Object.entries(task.obsDestinationDescription ?? {}).every(
    ([name, is]) => sent[name] === undefined || typeof is === 'object' || is === sent[name],
  );
}
