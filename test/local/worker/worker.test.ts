import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Worker } from '../../../local/worker/worker.ts';
import { systemClock } from '../../../shared/core/clock.ts';
import { silentLogger } from '../../../shared/core/logger.ts';
import { sqliteQueues } from '../../../shared/queue/sqlite.ts';
import { SqliteDatabase } from '../../../shared/sqlite/database.ts';

describe('Worker', () => {
  it.each([0, 1])('works on what is sent while a long invocation goes on, waiting %i s a poll', async (waitSeconds) => {
    const database = new SqliteDatabase(':memory:');
    const queues = sqliteQueues(database, { clock: systemClock, owner: 'test', isAlive: () => true });
    const stop = new AbortController();
    const long = Promise.withResolvers<void>();
    const seen: string[] = [];
    let pauses = 0;
    const worker = new Worker({
      queues,
      waitSeconds,
      log: silentLogger,
      signal: stop.signal,
      onPause: () => {
        pauses += 1;
      },
      handlers: {
        async 'read-bytes'({ Records: [record] }) {
          seen.push(record!.body);
          if (record!.body === 'long') await long.promise;
          else long.resolve();
        },
      },
    });

    const running = worker.run();
    await queues.send('read-bytes', [{ body: 'long' }]);
    while (seen.length === 0) await wait(1);
    await queues.send('read-bytes', [{ body: 'short' }]);
    await long.promise;
    while (pauses === 0) await wait(1);
    stop.abort();
    await running;

    expect(seen).toEqual(['long', 'short']);
    expect(await queues.counts('read-bytes')).toMatchObject({ visible: 0, inFlight: 0, dead: 0 });
    database.close();
  });
});
