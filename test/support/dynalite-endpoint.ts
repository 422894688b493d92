import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import dynalite from 'dynalite';
import { TABLE_NAMES, type TableName } from '../../shared/tables/table.ts';

export const TABLE_NAMES_AS_THEY_ARE = Object.fromEntries(TABLE_NAMES.map((name) => [name, name])) as Record<
  TableName,
  string
>;

/** DynamoDB in this process and in memory, with a client for it. Tables are there at once. */
export async function openDynalite(
  config: DynamoDBClientConfig = {},
): Promise<{ client: DynamoDBClient; close(): Promise<void> }> {
  const server = dynalite({ createTableMs: 0 });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new DynamoDBClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'none', secretAccessKey: 'none' },
    ...config,
  });
  return {
    client,
    async close() {
      client.destroy();
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}
