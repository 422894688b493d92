import type { JsonObject, JsonValue } from '../../core/json.ts';
import { isObject } from '../../core/json.ts';
import { InvalidListingError, type Metadata } from '../connector.ts';

/** How far a partition is planned. Numbers are text: they may pass 2^53. */
export type PartitionPosition = JsonObject & {
  readonly streamId: string;
  /** Of the first record that is not planned. */
  readonly next: string;
  /** Of the record that was to be written next when the partition was last seen. */
  readonly seen: string;
};

export function positionOf(value: JsonValue | undefined): PartitionPosition | undefined {
  if (value === undefined) return undefined;
  if (isObject(value) && [value.streamId, value.next, value.seen].every((member) => typeof member === 'string'))
    return value as PartitionPosition;
  throw new InvalidListingError('the position of a DIS partition lacks streamId, next or seen');
}

/** Numbers `[from, to)` of one partition of one stream, which is told apart from another of its name by its id. */
export interface Range {
  readonly streamId: string;
  readonly partition: string;
  readonly from: bigint;
  readonly to: bigint;
}

/** What a listing yields for a range: its first and last number in its name, so that names sort as records do. */
export function rangeMetadata({ streamId, partition, from, to }: Range): Metadata {
  return {
    name: `${digits(from)}-${digits(to - 1n)}`,
    fingerprint: `${streamId} ${partition} ${from} ${to}`,
    isPrefix: false,
    generation: streamId,
    streamId,
    partition,
    from: String(from),
    to: String(to),
  };
}

/** @throws {InvalidListingError} the metadata is none of a range */
export function rangeOf({ streamId, partition, from, to }: Metadata): Range {
  const isRight =
    typeof streamId === 'string' && typeof partition === 'string' && typeof from === 'string' && typeof to === 'string';
  if (!isRight) throw new InvalidListingError('the metadata of a DIS range lacks streamId, partition, from or to');
  return { streamId, partition, from: BigInt(from), to: BigInt(to) };
}

/** As many as 2^63 - 1 has. */
const digits = (number: bigint) => String(number).padStart(19, '0');

/** Of its two forms (`0`, `shardId-0000000000`) either. */
export function partitionNumber(partitionId: string): number | undefined {
  const [, number] = /^(?:shardId-)?(\d{1,10})$/.exec(partitionId) ?? [];
  return number === undefined ? undefined : Number(number);
}
