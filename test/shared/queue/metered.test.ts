import { describe, expect, it } from 'vitest';
import { newMeter } from '../../../shared/core/meter.ts';
import { meteredQueues } from '../../../shared/queue/metered.ts';
import { sqliteQueues } from '../../../shared/queue/sqlite.ts';
import { SqliteDatabase } from '../../../shared/sqlite/database.ts';
import { queueContract } from './queue-contract.ts';

function world() {
  let nowMs = 0;
  const options = { clock: () => new Date(nowMs), owner: 'one', isAlive: () => true };
  const meter = newMeter();
  const queues = meteredQueues(sqliteQueues(new SqliteDatabase(':memory:'), options), meter);
  const pass = async (seconds: number) => {
    nowMs += seconds * 1000;
  };
  return { queues, meter, pass };
}

describe('meteredQueues', () => {
  queueContract(async () => world());

  it('counts requests and 64 KiB chunks as SQS bills them', async () => {
    const { queues, meter } = world();
    const chunk = 'x'.repeat(64 * 1024);

    await queues.send(
      'read-bytes',
      Array.from({ length: 11 }, () => ({ body: chunk })),
    );
    await queues.receive('read-bytes', { max: 2, visibilityTimeoutSeconds: 30 });
    await queues.receive('list-objects', { max: 1, visibilityTimeoutSeconds: 30 });
    await queues.delete(
      'read-bytes',
      Array.from({ length: 12 }, () => '1:1'),
    );
    await queues.retryAfter('read-bytes', '2:1', 0);
    await queues.counts('read-bytes');

    const line = (operation: string, requests: number, units: number, bytes = 0, resource = 'read-bytes') => ({
      ...{ service: 'sqs', operation, resource, requests, units, bytes },
    });
    expect(meter.snapshot()).toEqual([
      line('send', 2, 11, 11 * 65_536),
      line('receive', 1, 2, 2 * 65_536),
      line('receive', 1, 1, 0, 'list-objects'),
      line('delete', 2, 2),
      line('changeVisibility', 1, 1),
      line('attributes', 2, 2),
    ]);
  });
});
