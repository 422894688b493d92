import {
  ConditionalCheckFailedException,
  DescribeTableCommand,
  DynamoDBClient,
  ListTablesCommand,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dynamoTables, TableRefusedError } from '../../../shared/tables/dynamo.ts';
import { createDynamoTables } from '../../../shared/tables/dynamo-create.ts';
import { absent, TABLE_NAMES, TableUnavailableError } from '../../../shared/tables/table.ts';
import { openDynalite, TABLE_NAMES_AS_THEY_ARE } from '../../support/dynalite-endpoint.ts';
import { describeTableContract } from './table-contract.ts';

describeTableContract(
  'DynamoDB',
  async () => {
    const { client, close } = await openDynalite();
    await createDynamoTables(client, TABLE_NAMES_AS_THEY_ARE);
    return { table: dynamoTables(client, TABLE_NAMES_AS_THEY_ARE).nodes, close };
  },
  { randomRuns: 30 },
);

describe('createDynamoTables', () => {
  let dynalite: Awaited<ReturnType<typeof openDynalite>>;
  beforeAll(async () => {
    dynalite = await openDynalite();
  });
  afterAll(() => dynalite.close());

  it('creates what is missing, also if several do so at once', async () => {
    const { client } = dynalite;

    await Promise.all([1, 2].map(() => createDynamoTables(client, TABLE_NAMES_AS_THEY_ARE)));
    await createDynamoTables(client, TABLE_NAMES_AS_THEY_ARE);

    expect((await client.send(new ListTablesCommand())).TableNames).toStrictEqual([...TABLE_NAMES].sort());
    const { Table } = await client.send(new DescribeTableCommand({ TableName: 'jobs' }));
    expect(Table).toMatchObject({
      TableStatus: 'ACTIVE',
      BillingModeSummary: { BillingMode: 'PAY_PER_REQUEST' },
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
    });
  });
});

/** A client whose requests are answered by `answer`, or fail with what it throws; nothing is sent. */
function clientThat(answer: (input: Record<string, unknown>) => unknown): DynamoDBClient {
  const client = new DynamoDBClient({
    region: 'us-east-1',
    credentials: { accessKeyId: 'none', secretAccessKey: 'none' },
  });
  client.middlewareStack.add(
    () =>
      async ({ input }) => ({ output: (await answer(input as Record<string, unknown>)) as never, response: {} }),
    {
      step: 'initialize',
    },
  );
  return client;
}

function awsError(name: string, message: string, status: number, attempts = 1): Error {
  return Object.assign(new Error(message), { name, $metadata: { httpStatusCode: status, requestId: 'R1', attempts } });
}

describe('dynamoTables', () => {
  const key = { pk: 'p', sk: 'a' };
  const tablesThat = (answer: (input: Record<string, unknown>) => unknown, slept: number[] = []) =>
    dynamoTables(clientThat(answer), TABLE_NAMES_AS_THEY_ARE, {
      random: () => 1,
      sleep: async (durationMs) => void slept.push(durationMs),
    });

  it('sends again what a batch write left undone, later and later while nothing moves', async () => {
    const batches: number[] = [];
    const slept: number[] = [];
    const { nodes } = tablesThat((input) => {
      const requests = (input.RequestItems as Record<string, unknown[]>).nodes ?? [];
      batches.push(requests.length);
      return { UnprocessedItems: batches.length < 4 ? { nodes: requests.slice(0, 2) } : {} };
    }, slept);

    await nodes.putMany(['a', 'b', 'c'].map((sk) => ({ pk: 'p', sk })));

    expect(batches).toStrictEqual([3, 2, 2, 2]);
    expect(slept).toStrictEqual([50, 100, 200]);
  });

  it('asks again for the keys that a batch did not get to', async () => {
    let asked = 0;
    const { nodes } = tablesThat((input) => {
      const { Keys } = (input.RequestItems as Record<string, { Keys: Record<string, unknown>[] }>).nodes!;
      asked++;
      return {
        Responses: { nodes: Keys.slice(0, 1) },
        UnprocessedKeys: Keys.length > 1 ? { nodes: { Keys: Keys.slice(1) } } : {},
      };
    });

    const items = await nodes.getMany(['a', 'b', 'c'].map((sk) => ({ pk: 'p', sk })));

    expect(items.map(({ sk }) => sk)).toStrictEqual(['a', 'b', 'c']);
    expect(asked).toBe(3);
  });

  it('gives up a batch that does not move at all', async () => {
    const { nodes } = tablesThat((input) => ({ UnprocessedItems: input.RequestItems }));

    const write = nodes.deleteMany([key]);

    await expect(write).rejects.toThrow(TableUnavailableError);
    await expect(write).rejects.toMatchObject({ retryable: true });
  });

  it.each([
    ['throttling', awsError('ProvisionedThroughputExceededException', 'slow down', 400)],
    ['a failure of the service', awsError('InternalServerError', 'oops', 500)],
    ['a broken connection', Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })],
    ['a timeout', awsError('TimeoutError', 'too late', 0)],
  ])('reports %s as a table that may answer later', async (_what, cause) => {
    const { nodes } = tablesThat(() => {
      throw cause;
    });

    const calls = [
      nodes.get(key),
      nodes.getMany([key]),
      Array.fromAsync(nodes.query('p')),
      nodes.put(key),
      nodes.update(key, { increment: { n: 1 } }),
      nodes.delete(key),
      nodes.putMany([key]),
      nodes.deleteMany([key]),
    ];

    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { code: 'TableUnavailable', retryable: true, cause },
      });
    }
  });

  it('reports a refusal with the words of the service and the request it names', async () => {
    const { nodes } = tablesThat(() => {
      throw awsError('AccessDeniedException', 'not authorized', 400);
    });

    const read = nodes.get(key);

    await expect(read).rejects.toThrow(TableRefusedError);
    await expect(read).rejects.toThrow(
      'get on the table nodes failed: AccessDeniedException: not authorized (request R1)',
    );
  });

  it('claims neither outcome where a repeated write finds its condition no longer met', async () => {
    const failed = (attempts: number) =>
      new ConditionalCheckFailedException({ message: 'failed', $metadata: { httpStatusCode: 400, attempts } });
    let attempts = 1;
    const { nodes } = tablesThat(() => {
      throw failed(attempts);
    });

    expect(await nodes.put(key, [absent('pk')])).toBe(false);
    attempts = 2;
    await expect(nodes.put(key, [absent('pk')])).rejects.toThrow(TableUnavailableError);
  });

  it('writes batches of 25 and reads batches of 100', async () => {
    const sizes: number[] = [];
    const { nodes } = tablesThat((input) => {
      const { nodes: batch } = input.RequestItems as { nodes: unknown[] | { Keys: unknown[] } };
      sizes.push(Array.isArray(batch) ? batch.length : batch.Keys.length);
      return {};
    });
    const keys = Array.from({ length: 130 }, (_, at) => ({ pk: 'p', sk: `${at}` }));

    await nodes.putMany(keys.slice(0, 60));
    await nodes.getMany(keys);

    expect(sizes).toStrictEqual([25, 25, 10, 100, 30]);
  });

  it('reads consistently', async () => {
    const inputs: Record<string, unknown>[] = [];
    const { nodes } = tablesThat((input) => {
      inputs.push(input);
      return {};
    });

    await nodes.get(key);
    await Array.fromAsync(nodes.query('p'));
    await nodes.getMany([key]);

    expect(inputs).toMatchObject([
      { ConsistentRead: true },
      { ConsistentRead: true },
      { RequestItems: { nodes: { ConsistentRead: true } } },
    ]);
  });

  it('asks of a limited query no more than one item beyond the limit', async () => {
    const limits: unknown[] = [];
    const { nodes } = tablesThat((input) => {
      limits.push(input.Limit);
      return {};
    });

    await Array.fromAsync(nodes.query('p', { limit: 1 }));
    await Array.fromAsync(nodes.query('p'));

    expect(limits).toStrictEqual([2, undefined]);
  });
});
