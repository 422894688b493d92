import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { sqliteQueues } from '../../../shared/queue/sqlite.ts';
import { SqliteDatabase } from '../../../shared/sqlite/database.ts';
import { queueContract } from './queue-contract.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

function openDatabase(path = ':memory:'): SqliteDatabase {
  const database = new SqliteDatabase(path);
  closing.unshift(() => database.close());
  return database;
}

function world({
  path = ':memory:',
  owner = 'one',
  alive = [owner],
}: {
  path?: string;
  owner?: string;
  alive?: string[];
} = {}) {
  let nowMs = Date.parse('2026-01-01T00:00:00Z');
  const options = { clock: () => new Date(nowMs), owner, isAlive: (name: string) => alive.includes(name) };
  const pass = async (seconds: number) => {
    nowMs += seconds * 1000;
  };
  return { queues: sqliteQueues(openDatabase(path), options), pass };
}

function temporaryPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'landfall-queue-'));
  closing.push(() => rmSync(folder, { recursive: true }));
  return join(folder, 'queues.db');
}

describe('sqliteQueues', () => {
  queueContract(async () => world());

  it('finds what another process sends while it waits', async () => {
    const path = temporaryPath();
    const receiver = world({ path }).queues;
    const sender = world({ path, owner: 'two' }).queues;

    const receiving = receiver.receive('read-bytes', { max: 1, visibilityTimeoutSeconds: 30, waitSeconds: 5 });
    await sender.send('read-bytes', [{ body: 'from afar' }]);

    expect(await receiving).toMatchObject([{ body: 'from afar' }]);
  });

  it('gives each message to one of several receivers', async () => {
    const path = temporaryPath();
    const receivers = [world({ path }).queues, world({ path, owner: 'two' }).queues];
    await receivers[0]!.send(
      'read-bytes',
      Array.from({ length: 40 }, (_, n) => ({ body: `m${n}` })),
    );

    const received = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        receivers[n % 2]!.receive('read-bytes', { max: 5, visibilityTimeoutSeconds: 30 }),
      ),
    );

    expect(new Set(received.flat().map(({ body }) => body)).size).toBe(40);
  });

  it('does not let a long backlog of one group hold back another', async () => {
    const { queues } = world();
    await queues.send(
      'read-bytes',
      Array.from({ length: 500 }, (_, n) => ({ body: `noisy ${n}`, group: 'noisy' })),
    );
    await queues.receive('read-bytes', { max: 10, visibilityTimeoutSeconds: 30 });
    await queues.send('read-bytes', [
      { body: 'quiet 1', group: 'quiet' },
      { body: 'quiet 2', group: 'quiet' },
    ]);

    const received = await queues.receive('read-bytes', { max: 4, visibilityTimeoutSeconds: 30 });

    expect(received.map(({ body }) => body)).toEqual(['quiet 1', 'quiet 2', 'noisy 10', 'noisy 11']);
  });

  it('releases at once what ended processes had received, and nothing else', async () => {
    const path = temporaryPath();
    const dying = world({ path, owner: 'dying' }).queues;
    const living = world({ path, owner: 'living' }).queues;
    await dying.send('read-bytes', [{ body: 'a' }, { body: 'b' }, { body: 'c', delaySeconds: 60 }]);
    await dying.receive('read-bytes', { max: 1, visibilityTimeoutSeconds: 3600 });
    await living.receive('read-bytes', { max: 1, visibilityTimeoutSeconds: 3600 });

    expect(await living.releaseDead()).toBe(1);

    const released = await living.receive('read-bytes', { max: 10, visibilityTimeoutSeconds: 30 });
    expect(released).toMatchObject([{ body: 'a', receiveCount: 2 }]);
  });

  it('does not bring back early what an ended process had put off', async () => {
    const path = temporaryPath();
    const dying = world({ path, owner: 'dying' }).queues;
    await dying.send('read-bytes', [{ body: 'later' }]);
    const [message] = await dying.receive('read-bytes', { max: 1, visibilityTimeoutSeconds: 30 });
    await dying.retryAfter('read-bytes', message!.receiptHandle, 600);

    expect(await world({ path }).queues.releaseDead()).toBe(0);
    expect(await dying.counts('read-bytes')).toEqual({ visible: 0, inFlight: 0, delayed: 1, dead: 0 });
  });

  it('ignores the receipt of an earlier delivery', async () => {
    const { queues, pass } = world();
    await queues.send('read-bytes', [{ body: 'twice' }]);
    const [first] = await queues.receive('read-bytes', { max: 1, visibilityTimeoutSeconds: 1 });
    await pass(1);
    await queues.receive('read-bytes', { max: 1, visibilityTimeoutSeconds: 30 });

    await queues.delete('read-bytes', [first!.receiptHandle]);
    await queues.retryAfter('read-bytes', first!.receiptHandle, 0);

    expect(await queues.counts('read-bytes')).toEqual({ visible: 0, inFlight: 1, delayed: 0, dead: 0 });
  });

  it('keeps messages over a restart', async () => {
    const path = temporaryPath();
    const database = new SqliteDatabase(path);
    const options = { clock: () => new Date(0), owner: 'one', isAlive: () => true };
    await sqliteQueues(database, options).send('finish-refresh', [{ body: 'kept' }]);
    database.close();

    const again = sqliteQueues(openDatabase(path), options);

    expect(await again.receive('finish-refresh', { max: 1, visibilityTimeoutSeconds: 30 })).toMatchObject([
      { body: 'kept' },
    ]);
  });
});
