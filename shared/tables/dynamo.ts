import { setTimeout as sleepMs } from 'node:timers/promises';
import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  UpdateItemCommand,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb';
import { awsAttempts, describeAwsError, isTransientAwsError } from '../core/aws-errors.ts';
import { type Backoff, backoffMs } from '../core/backoff.ts';
import { chunksOf, forEachLimit } from '../core/concurrency.ts';
import { IngestError } from '../core/errors.ts';
import { type AttributeMap, fromAttributeMap, toAttributeMap } from './attribute-value.ts';
import { editsOf } from './change.ts';
import { writeExpression } from './expression.ts';
import { checkItem, checkKey, itemTooLarge } from './item-size.ts';
import { keyRangeExpression } from './key-range.ts';
import { lastOfEachKey } from './keys.ts';
import {
  type Change,
  type Condition,
  type Item,
  type Key,
  type KeyRange,
  type Table,
  type TableName,
  type Tables,
  TableUnavailableError,
  tablesOf,
} from './table.ts';

export interface DynamoTablesOptions {
  /** 0 to below 1, for the jitter of repeated batches. */
  readonly random?: () => number;
  readonly sleep?: (durationMs: number) => Promise<unknown>;
}

/**
 * The tables in DynamoDB. Repeating a single request is the client's own business (`maxAttempts`); here only what a
 * batch left undone is sent again.
 *
 * Where the client repeated a conditional write and the condition fails, the first one may have been carried out and
 * only its answer lost. Then the write throws `TableUnavailableError` and claims neither.
 *
 * @param names the table's name in the account, for each of Landfall's tables
 */
export function dynamoTables(
  client: DynamoDBClient,
  names: Readonly<Record<TableName, string>>,
  { random = Math.random, sleep = sleepMs }: DynamoTablesOptions = {},
): Tables {
  return tablesOf((name) => new DynamoTable(client, names[name], { random, sleep }));
}

/** DynamoDB refused: not allowed, no such table, not a valid request. The message has its own words. */
export class TableRefusedError extends IngestError {
  override readonly name = 'TableRefusedError';
  readonly code = 'TableRefused';
  readonly retryable = false;
}

const GET_BATCH_ITEMS = 100;
const WRITE_BATCH_ITEMS = 25;
const PARALLEL_BATCHES = 4;
/** About ten seconds in all, without one item of progress. */
const BATCH_BACKOFF: Backoff = { firstMs: 50, maxMs: 5000 };
const BATCH_ATTEMPTS = 10;

class DynamoTable implements Table {
  readonly #client: DynamoDBClient;
  readonly #table: string;
  readonly #options: Required<DynamoTablesOptions>;

  constructor(client: DynamoDBClient, table: string, options: Required<DynamoTablesOptions>) {
    this.#client = client;
    this.#table = table;
    this.#options = options;
  }

  async get(key: Key): Promise<Item | undefined> {
    const command = new GetItemCommand({ TableName: this.#table, Key: wireKey(key), ConsistentRead: true });
    const { Item: stored } = await this.#answer('get', this.#client.send(command));
    return stored && fromAttributeMap(stored as AttributeMap);
  }

  async getMany(keys: readonly Key[]): Promise<Item[]> {
    const items: Item[] = [];
    const wireKeys = lastOfEachKey(keys).map(wireKey);
    await this.#inBatches('getMany', wireKeys, GET_BATCH_ITEMS, async (batch) => {
      const command = new BatchGetItemCommand({
        RequestItems: { [this.#table]: { Keys: batch, ConsistentRead: true } },
      });
      const { Responses, UnprocessedKeys } = await this.#client.send(command);
      for (const stored of Responses?.[this.#table] ?? []) items.push(fromAttributeMap(stored as AttributeMap));
      return (UnprocessedKeys?.[this.#table]?.Keys ?? []) as AttributeMap[];
    });
    return items;
  }

  async *query(pk: string, range: KeyRange = {}): AsyncIterable<Item[]> {
    const expression = keyRangeExpression(pk, range);
    let missing = range.limit ?? Number.POSITIVE_INFINITY;
    let start: AttributeMap | undefined;
    if (!expression || missing <= 0) return;
    do {
      const command = new QueryCommand({
        TableName: this.#table,
        ...expression,
        ConsistentRead: true,
        ScanIndexForward: !range.reverse,
        ExclusiveStartKey: start,
        // One more, as the item at the excluded end may be among them.
        ...(Number.isFinite(missing) && { Limit: missing + 1 }),
      });
      const { Items = [], LastEvaluatedKey } = await this.#answer('query', this.#client.send(command));
      const found = Items.map((stored) => fromAttributeMap(stored as AttributeMap)).filter(({ sk }) => sk !== range.to);
      const page = found.slice(0, missing);
      if (page.length > 0) yield page;
      missing -= page.length;
      start = LastEvaluatedKey as AttributeMap | undefined;
    } while (start && missing > 0);
  }

  async put(item: Item, condition?: Condition): Promise<boolean> {
    checkItem(this.#table, item);
    const command = new PutItemCommand({
      TableName: this.#table,
      Item: toAttributeMap(item),
      ...writeExpression(condition),
    });
    return (await this.#conditional('put', item, this.#client.send(command))) !== undefined;
  }

  async update(key: Key, change: Change, condition?: Condition): Promise<Item | undefined> {
    const edits = editsOf(change);
    // What the item will be is not known here; what is set is a part of it, and must be storable.
    const written = Object.fromEntries([...edits.set, ...edits.addToSet, ...edits.increment]);
    checkItem(this.#table, { ...written, pk: key.pk, sk: key.sk });
    const command = new UpdateItemCommand({
      TableName: this.#table,
      Key: wireKey(key),
      ...writeExpression(condition, edits),
      ReturnValues: 'ALL_NEW',
    });
    const answer = await this.#conditional('update', key, this.#client.send(command));
    return answer && fromAttributeMap(answer.Attributes as AttributeMap);
  }

  async delete(key: Key, condition?: Condition): Promise<boolean> {
    const command = new DeleteItemCommand({ TableName: this.#table, Key: wireKey(key), ...writeExpression(condition) });
    return (await this.#conditional('delete', key, this.#client.send(command))) !== undefined;
  }

  async putMany(items: readonly Item[]): Promise<void> {
    for (const item of items) checkItem(this.#table, item);
    await this.#writeMany(
      'putMany',
      lastOfEachKey(items).map((item) => ({ PutRequest: { Item: toAttributeMap(item) } })),
    );
  }

  async deleteMany(keys: readonly Key[]): Promise<void> {
    await this.#writeMany(
      'deleteMany',
      lastOfEachKey(keys).map((key) => ({ DeleteRequest: { Key: wireKey(key) } })),
    );
  }

  #writeMany(operation: string, requests: readonly WriteRequest[]): Promise<void> {
    return this.#inBatches(operation, requests, WRITE_BATCH_ITEMS, async (batch) => {
      const command = new BatchWriteItemCommand({ RequestItems: { [this.#table]: batch } });
      return (await this.#client.send(command)).UnprocessedItems?.[this.#table] ?? [];
    });
  }

  /** @param send sends a batch and returns what DynamoDB left undone of it */
  #inBatches<T>(operation: string, all: readonly T[], size: number, send: (batch: T[]) => Promise<T[]>): Promise<void> {
    const { random, sleep } = this.#options;
    return forEachLimit(chunksOf(all, size), PARALLEL_BATCHES, async (batch) => {
      let left = batch;
      for (let attempt = 0; attempt < BATCH_ATTEMPTS; attempt++) {
        const undone = await this.#answer(operation, send(left));
        if (undone.length === 0) return;
        // A batch may also be cut at 16 MiB: as long as it gets shorter, that is no sign of a busy table.
        if (undone.length < left.length) attempt = 0;
        left = undone;
        await sleep(backoffMs(attempt, random, BATCH_BACKOFF));
      }
      throw new TableUnavailableError(
        `the table ${this.#table} left ${left.length} items of a ${operation} undone ${BATCH_ATTEMPTS} times`,
      );
    });
  }

  /** The answer to a write, or undefined if its condition did not hold. */
  async #conditional<T>(operation: string, key: Key, reply: Promise<T>): Promise<T | undefined> {
    try {
      return await reply;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) {
        if (awsAttempts(error) === 1) return undefined;
        throw new TableUnavailableError(
          `a ${operation} to the table ${this.#table} was repeated, and its condition no longer held: the first may have been carried out`,
          { cause: error },
        );
      }
      if (isItemTooLarge(error)) throw itemTooLarge(this.#table, key, 'more', { cause: error });
      throw this.#named(operation, error);
    }
  }

  async #answer<T>(operation: string, reply: Promise<T>): Promise<T> {
    try {
      return await reply;
    } catch (error) {
      throw this.#named(operation, error);
    }
  }

  #named(operation: string, error: unknown): IngestError {
    if (error instanceof IngestError) return error;
    const message = `${operation} on the table ${this.#table} failed: ${describeAwsError(error)}`;
    return isTransientAwsError(error)
      ? new TableUnavailableError(message, { cause: error })
      : new TableRefusedError(message, { cause: error });
  }
}

function wireKey({ pk, sk }: Key): AttributeMap {
  checkKey({ pk, sk });
  return { pk: { S: pk }, sk: { S: sk } };
}

/** Only the message tells: `Item size to update has exceeded the maximum allowed size`. */
function isItemTooLarge(error: unknown): boolean {
  return error instanceof Error && error.name === 'ValidationException' && /item size .*exceeded/i.test(error.message);
}
