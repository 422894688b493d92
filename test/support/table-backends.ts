import { SqliteDatabase } from '../../shared/sqlite/database.ts';
import { dynamoTables } from '../../shared/tables/dynamo.ts';
import { createDynamoTables } from '../../shared/tables/dynamo-create.ts';
import { sqliteTables } from '../../shared/tables/sqlite.ts';
import type { Tables } from '../../shared/tables/table.ts';
import { openDynalite, TABLE_NAMES_AS_THEY_ARE } from './dynalite-endpoint.ts';

export interface OpenTables {
  readonly tables: Tables;
  close(): Promise<void> | void;
}

/** Each implementation of the tables, empty: what a store promises it promises on all of them. */
export const TABLE_BACKENDS: readonly (readonly [string, () => Promise<OpenTables>])[] = [
  [
    'SQLite',
    async () => {
      const database = new SqliteDatabase(':memory:');
      return { tables: sqliteTables(database), close: () => database.close() };
    },
  ],
  [
    'DynamoDB',
    async () => {
      const { client, close } = await openDynalite();
      await createDynamoTables(client, TABLE_NAMES_AS_THEY_ARE);
      return { tables: dynamoTables(client, TABLE_NAMES_AS_THEY_ARE), close };
    },
  ],
];
