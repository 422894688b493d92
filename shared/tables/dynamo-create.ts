import { setTimeout as sleepMs } from 'node:timers/promises';
import {
  CreateTableCommand,
  DescribeTableCommand,
  type DynamoDBClient,
  ResourceInUseException,
  ResourceNotFoundException,
} from '@aws-sdk/client-dynamodb';
import { TABLE_NAMES, type TableName, TableUnavailableError } from './table.ts';

const POLL_MS = 100;
const POLLS_MAX = 600;

/**
 * Creates the tables that are missing and returns when all can be used; for endpoints that no stack was deployed to.
 * Without time to live, indexes, or recovery: those belong to the stack.
 *
 * @throws {TableUnavailableError} a table was not there after a minute
 */
export async function createDynamoTables(
  client: DynamoDBClient,
  names: Readonly<Record<TableName, string>>,
  { sleep = sleepMs }: { sleep?: (durationMs: number) => Promise<unknown> } = {},
): Promise<void> {
  await Promise.all(
    TABLE_NAMES.map(async (name) => {
      let status = await statusOf(client, names[name]);
      if (status === undefined) await create(client, names[name]);
      for (let poll = 0; status !== 'ACTIVE'; poll++) {
        if (poll === POLLS_MAX)
          throw new TableUnavailableError(`the table ${names[name]} is ${status ?? 'not there'} after a minute`);
        if (poll > 0) await sleep(POLL_MS);
        status = await statusOf(client, names[name]);
      }
    }),
  );
}

async function statusOf(client: DynamoDBClient, table: string): Promise<string | undefined> {
  try {
    return (await client.send(new DescribeTableCommand({ TableName: table }))).Table?.TableStatus;
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}

async function create(client: DynamoDBClient, table: string): Promise<void> {
  try {
    await client.send(
      new CreateTableCommand({
        TableName: table,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [
          { AttributeName: 'pk', AttributeType: 'S' },
          { AttributeName: 'sk', AttributeType: 'S' },
        ],
        KeySchema: [
          { AttributeName: 'pk', KeyType: 'HASH' },
          { AttributeName: 'sk', KeyType: 'RANGE' },
        ],
      }),
    );
  } catch (error) {
    // Another process was quicker: it makes the same table.
    if (!(error instanceof ResourceInUseException)) throw error;
  }
}
