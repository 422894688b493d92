import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'vitest';
import { startDisServer } from '../../local/servers/dis/server.ts';
import { startMaxComputeServer } from '../../local/servers/maxcompute/server.ts';
import { DisClient } from '../../shared/clients/dis/index.ts';
import { MaxComputeClient, rowsOfBatch, SplitMode } from '../../shared/clients/maxcompute/index.ts';
import { openDatabase } from '../../shared/sinks/sql/open.ts';
import { DIS_BATCH, DIS_PARALLEL } from './dis-overlap.ts';
import { filesBelow } from './sink-world.ts';

/** By name of the file. */
export type Lines = ReadonlyMap<string, readonly string[]>;

/** A place that a sink fills, and how one sees whether it holds what it should. */
export interface SinkUnderTest {
  readonly type: 'sql' | 's3' | 'dis' | 'maxcompute';
  /** A connection, a URL or an endpoint, as the type takes it. */
  readonly target: string;
  readonly credential?: string;
  /** What is removed or replaced stays there. */
  readonly onlyAdds: boolean;
  expectHolds(lines: Lines, kills: number): Promise<void>;
  close?(): Promise<void>;
}

const NAME = 'lines';
const sorted = (lines: Lines): string[] => [...lines.values()].flat().sort();

export async function aDatabase(folder: string): Promise<SinkUnderTest> {
  const target = `pglite:${join(folder, 'database')}`;
  return {
    type: 'sql',
    target,
    onlyAdds: false,
    async expectHolds(lines) {
      const { session } = await openDatabase(target);
      try {
        const rows = await session.query('SELECT value FROM crash.lines');
        expect(rows.map(({ value }) => value).sort()).toEqual(sorted(lines));
      } finally {
        await session.close();
      }
    },
  };
}

export async function aBucket(folder: string): Promise<SinkUnderTest> {
  const bucket = join(folder, 'bucket');
  return {
    type: 's3',
    target: pathToFileURL(bucket).href,
    onlyAdds: false,
    async expectHolds(lines) {
      const files = await filesBelow(bucket);
      // What the sink keeps for itself, and what a killed writer has left for two days.
      for (const path of files.keys()) if (/^(?:_landfall|\.tmp)\//.test(path)) files.delete(path);
      expect(files).toEqual(new Map([...lines].map(([name, texts]) => [name, `${texts.join('\n')}\n`])));
    },
  };
}

export async function aStream(): Promise<SinkUnderTest> {
  const server = await startDisServer();
  const { accessKey, secretKey, projectId } = server.credentials;
  const { endpoint, region } = server;
  const client = new DisClient({ endpoint, region, credentials: { accessKey, secretKey } });
  await client.createStream({ name: NAME, partitionCount: 2 });
  return {
    type: 'dis',
    target: server.url,
    credential: JSON.stringify({ accessKey, secretKey, projectId }),
    onlyAdds: true,
    async expectHolds(lines, kills) {
      const stored: string[] = [];
      const { partitions = [] } = await client.getStream(NAME);
      for (const { partitionId, nextSequenceNumber: until } of partitions) {
        if (!until) continue;
        for await (const { data } of client.readRecords(NAME, partitionId, { until })) stored.push(data.toString());
      }
      expect([...new Set(stored)].sort()).toEqual(sorted(lines));
      const twice = stored.length - new Set(stored).size;
      console.info(`${twice} of ${stored.length} records are there twice`);
      expect(twice).toBeLessThanOrEqual(kills * DIS_BATCH * DIS_PARALLEL);
    },
    async close() {
      await client.close();
      await server.close();
    },
  };
}

export async function aTable(): Promise<SinkUnderTest> {
  const server = await startMaxComputeServer({ sql: [`CREATE TABLE ${NAME} (value STRING)`] });
  const { url, project, credentials } = server;
  const { accessId, accessKey } = credentials;
  const endpoint = `${url}/api`;
  const client = new MaxComputeClient({ endpoint, project, credentials: { accessId, accessKey } });
  return {
    type: 'maxcompute',
    target: endpoint,
    credential: JSON.stringify({ accessId, accessKey }),
    onlyAdds: true,
    async expectHolds(lines) {
      const splitOptions = { splitMode: SplitMode.ROW_OFFSET, splitNumber: 1_000_000 };
      const session = await client.table(NAME).openReadSession({ splitOptions });
      const values: string[] = [];
      for (const split of session.splits())
        for await (const batch of session.read(split))
          for (const { value } of await rowsOfBatch(batch)) values.push(String(value));
      expect(values.sort()).toEqual(sorted(lines));
    },
    close: () => server.close(),
  };
}
