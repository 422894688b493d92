import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DisServer, startDisServer } from '../../../../local/servers/dis/server.ts';
import { type CursorStart, DisClient } from '../../../../shared/clients/dis/index.ts';
import { failure } from '../../../support/client-calls.ts';
import { fixture } from './harness.ts';

interface Semantics {
  readonly partition_range: readonly [number, number];
  readonly cursor_type: string;
  readonly starting_sequence_number?: string;
  readonly timestamp?: string;
  readonly expect: { readonly first_sequence?: number; readonly error?: string; readonly message_contains?: string };
}

const { semantics } = fixture<{ semantics: Semantics[] }>('cursors');
/** What the client does not even send. */
const REFUSED_BEFORE: Readonly<Record<string, readonly string[]>> = {
  'DIS.4216': ['OutOfLimitsError', 'InvalidAttributeError'],
  'DIS.4215': ['InvalidAttributeError'],
  'DIS.4200': ['InvalidAttributeError'],
};

describe('cursors on the local server', () => {
  const servers: DisServer[] = [];
  const streams = new Map<string, { client: DisClient; oldestMs: number }>();

  beforeAll(async () => {
    for (const [oldest, next] of new Set(semantics.map(({ partition_range }) => String(partition_range)))
      .values()
      .map((range) => range.split(',').map(Number))) {
      const server = await startDisServer({
        firstSequenceNumber: BigInt(oldest!),
        clock: () => new Date(1_700_000_000_000),
      });
      servers.push(server);
      const client = new DisClient({
        endpoint: server.endpoint,
        credentials: { token: server.credentials.token },
        clock: () => server.now(),
      });
      await client.createStream({ name: 's', partitionCount: 1 });
      const oldestMs = server.now().getTime();
      if (next! > oldest!) {
        await client.uploadData('s', { records: Array.from({ length: next! - oldest! }, () => ({ data: 'x' })) });
      }
      await server.advance(1000);
      streams.set(`${oldest},${next}`, { client, oldestMs });
    }
  });
  afterAll(() => Promise.all(servers.map((server) => server.close())));

  it.each(semantics.map((one) => [JSON.stringify({ ...one, expect: undefined }), one] as const))(
    '%s',
    async (_what, { partition_range, cursor_type, starting_sequence_number, timestamp, expect: expected }) => {
      const { client, oldestMs } = streams.get(String(partition_range))!;
      const moments = { 'oldest upload time minus 1': -1, 'oldest upload time': 0 } as Record<string, number>;
      const start = {
        cursorType: cursor_type,
        ...(starting_sequence_number !== undefined && { startingSequenceNumber: starting_sequence_number }),
        ...(timestamp !== undefined && { timestamp: oldestMs + (moments[timestamp] ?? 86_400_000) }),
      } as CursorStart;
      const read = async () => {
        const cursor = await client.getDataCursor('s', 0, start);
        const { records } = await client.downloadData(cursor);
        // An answer without records is at the end.
        return Number(records[0]?.sequenceNumber ?? partition_range[1]);
      };

      if (expected.error === undefined) {
        expect(await read()).toBe(expected.first_sequence);
        return;
      }
      const error = await failure(read());
      if (error.serviceCode === undefined) expect(REFUSED_BEFORE[expected.error]).toContain(error.name);
      else expect(error.serviceCode).toBe(expected.error);
      if (expected.message_contains) expect(error.message).toContain(expected.message_contains);
    },
  );
});
