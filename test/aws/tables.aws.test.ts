import { randomUUID } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { dynamoTables } from '../../shared/tables/dynamo.ts';
import { createDynamoTables } from '../../shared/tables/dynamo-create.ts';
import { TABLE_NAMES, type TableName } from '../../shared/tables/table.ts';
import { describeTableContract } from '../shared/tables/table-contract.ts';

const freshNames = () => {
  const prefix = `test-${randomUUID()}`;
  return Object.fromEntries(TABLE_NAMES.map((name) => [name, `${prefix}-${name}`])) as Record<TableName, string>;
};

// The SDK itself reads AWS_ENDPOINT_URL_DYNAMODB, the region and the credentials.
describeTableContract(
  'DynamoDB on an AWS-compatible endpoint',
  async () => {
    const client = new DynamoDBClient();
    const names = freshNames();
    await createDynamoTables(client, names);
    return { table: dynamoTables(client, names).nodes, close: () => client.destroy() };
  },
  // Both are moto's own.
  { randomRuns: 10, largestItemBytes: 405_000, ordersTypes: false },
);

describe('dynamoTables on an AWS-compatible endpoint', () => {
  it('names a table that is not there, not to be tried again', async () => {
    using client = disposable(new DynamoDBClient());

    await expect(dynamoTables(client, freshNames()).runs.get({ pk: 'p', sk: 'a' })).rejects.toMatchObject({
      code: 'TableRefused',
      retryable: false,
    });
  });
});

function disposable(client: DynamoDBClient): DynamoDBClient & Disposable {
  return Object.assign(client, { [Symbol.dispose]: () => client.destroy() });
}
