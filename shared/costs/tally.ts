import { KIB, MIB } from '../core/units.ts';
import type { ObjectOperation } from '../landing/metered.ts';
import { BATCH_MAX_ENTRIES } from '../queue/outgoing.ts';
import type { QueueName } from '../queue/queue.ts';
import { MESSAGE_MAX_BYTES } from '../queue/queue.ts';
import type { TableName } from '../tables/table.ts';

/** Requests that a refresh makes of one resource, as its meter would count them, and what only the bill knows. */
export interface RequestLine {
  readonly service: 'dynamodb' | 's3' | 'sqs';
  readonly operation: string;
  /** The table or queue. */
  readonly resource?: string;
  readonly requests: number;
  /** Read units (4 KiB) or write units (1 KiB) of a table, chunks of 64 KiB of a queue. */
  readonly units: number;
  readonly bytes: number;
  /**
   * Write units that DynamoDB bills and no meter on this side sees: of the item that a refused condition looked at, or of a
   * larger one that was replaced or deleted.
   */
  readonly unseenUnits: number;
}

const READ_UNIT_BYTES = 4 * KIB;
const PAGE_BYTES = MIB;
const GET_BATCH_ITEMS = 100;
const SQS_CHUNK_BYTES = 64 * KIB;

export const writeUnits = (itemBytes: number): number => Math.max(1, Math.ceil(itemBytes / KIB));
export const readUnits = (bytes: number): number => Math.max(1, Math.ceil(bytes / READ_UNIT_BYTES));

/**
 * Adds up requests in the words of the ports. Every method takes how often the same request is made, so that a million alike
 * cost one call; a count may be a fraction, as an average is.
 */
export class Tally {
  readonly #lines = new Map<string, { -readonly [K in keyof RequestLine]: RequestLine[K] }>();

  lines(): RequestLine[] {
    return [...this.#lines.values()].filter(({ requests }) => requests > 0);
  }

  add(other: Iterable<RequestLine>, times = 1): void {
    for (const { service, operation, resource, ...counts } of other)
      this.#add(service, operation, resource, times, counts);
  }

  get(table: TableName, times: number, itemBytes: number): void {
    this.#add('dynamodb', 'get', table, times, { requests: 1, units: readUnits(itemBytes), bytes: itemBytes });
  }

  /** One call for so many items of one size. */
  getMany(table: TableName, times: number, items: number, itemBytes: number): void {
    const requests = Math.ceil(items / GET_BATCH_ITEMS);
    this.#add('dynamodb', 'batchGet', table, times, {
      requests,
      units: items * readUnits(itemBytes),
      bytes: items * itemBytes,
    });
  }

  /** All items together have so many bytes; a page has a mebibyte. */
  query(table: TableName, times: number, bytes: number): void {
    const requests = Math.max(1, Math.ceil(bytes / PAGE_BYTES));
    this.#add('dynamodb', 'query', table, times, { requests, units: Math.max(requests, readUnits(bytes)), bytes });
  }

  /** @param before bytes of the item that is replaced, if it was larger */
  update(table: TableName, times: number, itemBytes: number, before = 0): void {
    const units = writeUnits(itemBytes);
    const unseenUnits = Math.max(0, writeUnits(before) - units);
    this.#add('dynamodb', 'update', table, times, { requests: 1, units, bytes: itemBytes, unseenUnits });
  }

  /** An update whose condition does not hold. */
  refused(table: TableName, times: number, itemBytes: number): void {
    const unseenUnits = writeUnits(itemBytes) - 1;
    this.#add('dynamodb', 'update', table, times, { requests: 1, units: 1, bytes: 0, unseenUnits });
  }

  /**
   * Updates of one item that grows with each: from `itemBytes` after the first by `byBytes` each time.
   *
   * @param updates of each item
   */
  grow(table: TableName, times: number, updates: number, itemBytes: number, byBytes: number): void {
    const last = itemBytes + byBytes * Math.max(0, updates - 1);
    const units = unitsOfGrowing(updates, itemBytes, byBytes);
    this.#add('dynamodb', 'update', table, times, {
      requests: updates,
      units,
      bytes: (updates * (itemBytes + last)) / 2,
    });
  }

  delete(table: TableName, times: number, itemBytes: number): void {
    const unseenUnits = writeUnits(itemBytes) - 1;
    this.#add('dynamodb', 'delete', table, times, { requests: 1, units: 1, bytes: 0, unseenUnits });
  }

  object(operation: ObjectOperation, times: number, bytes: number, requests = 1): void {
    this.#add('s3', operation, undefined, times, { requests, units: 0, bytes });
  }

  /** One call that sends so many messages, cut into batches as `outgoing.ts` does. */
  send(queue: QueueName, times: number, messages: number, bodyBytes: number): void {
    const perBatch = Math.max(1, Math.min(BATCH_MAX_ENTRIES, Math.floor(MESSAGE_MAX_BYTES / bodyBytes)));
    this.#batches('send', queue, times, messages, perBatch, bodyBytes);
  }

  /** What feeds a function asks for in its name: each batch is received and, once it is done, deleted. */
  deliver(queue: QueueName, messages: number, batchSize: number, bodyBytes: number): void {
    this.#batches('receive', queue, 1, messages, batchSize, bodyBytes);
    this.#batches('delete', queue, 1, messages, batchSize, 0);
  }

  #batches(
    operation: string,
    queue: QueueName,
    times: number,
    messages: number,
    size: number,
    bodyBytes: number,
  ): void {
    const full = Math.floor(messages / size);
    const rest = messages - full * size;
    const units = full * chunks(size * bodyBytes) + (rest > 0 ? chunks(rest * bodyBytes) : 0);
    const requests = full + (rest > 0 ? 1 : 0);
    this.#add('sqs', operation, queue, times, { requests, units, bytes: messages * bodyBytes });
  }

  #add(
    service: RequestLine['service'],
    operation: string,
    resource: string | undefined,
    times: number,
    {
      requests,
      units,
      bytes,
      unseenUnits = 0,
    }: Partial<RequestLine> & Pick<RequestLine, 'requests' | 'units' | 'bytes'>,
  ): void {
    const key = `${service} ${operation} ${resource ?? ''}`;
    const line = this.#lines.get(key) ?? {
      ...{ service, operation, ...(resource === undefined ? {} : { resource }) },
      ...{ requests: 0, units: 0, bytes: 0, unseenUnits: 0 },
    };
    line.requests += times * requests;
    line.units += times * units;
    line.bytes += times * bytes;
    line.unseenUnits += times * unseenUnits;
    this.#lines.set(key, line);
  }
}

const chunks = (bytes: number) => Math.max(1, Math.ceil(bytes / SQS_CHUNK_BYTES));

/** The sum of ⌈(first + k × by) / 1 KiB⌉ for k from 0: counted step by step of a kibibyte, not update by update. */
export function unitsOfGrowing(updates: number, firstBytes: number, byBytes: number): number {
  if (updates <= 0) return 0;
  if (byBytes <= 0) return updates * writeUnits(firstBytes);
  let units = 0;
  for (let at = 0; at < updates; ) {
    const now = writeUnits(firstBytes + at * byBytes);
    // The last update that still fits into so many units.
    const end = Math.min(updates, Math.max(at + 1, Math.floor((now * KIB - firstBytes) / byBytes) + 1));
    units += (end - at) * now;
    at = end;
  }
  return units;
}
