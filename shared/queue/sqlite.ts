import { randomUUID } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import type { SqliteDatabase } from '../sqlite/database.ts';
import { checkOutgoing, checkReceive, checkSeconds, VISIBILITY_MAX_SECONDS } from './outgoing.ts';
import { MAX_RECEIVE_COUNT, type QueueName, type Queues, type ReceivedMessage, type ReceiveOptions } from './queue.ts';
import { Waiters } from './waiters.ts';

export interface SqliteQueuesOptions {
  readonly clock: Clock;
  /** Names this process: `processOwner()`. Kept with each message it has received. */
  readonly owner: string;
  /** Whether the process of that name still runs: `isOwnerAlive`. */
  readonly isAlive: (owner: string) => boolean;
}

export interface SqliteQueues extends Queues {
  /** Makes visible at once what processes that no longer run had received. @returns how many messages */
  releaseDead(): Promise<number>;
}

/**
 * The queues in a SQLite file, for all processes of one machine. Delays and timeouts follow the clock; only how long
 * `receive` waits is real time. A message is there once `send` has returned, whatever happens to the process.
 *
 * Where several groups have messages, the one with the fewest in flight comes first, as in SQS's fair queues.
 */
export function sqliteQueues(database: SqliteDatabase, { clock, owner, isAlive }: SqliteQueuesOptions): SqliteQueues {
  database.define(SCHEMA);
  const waiters = new Waiters();
  const now = () => clock().getTime();

  /** Up to `max` visible messages of a queue, fairly among its groups. */
  function pick(queue: QueueName, max: number, at: number): Candidate[] {
    const groups = database.statement(VISIBLE_GROUPS).all({ queue, at }) as unknown as {
      name: string;
      inFlight: number;
    }[];
    const lanes: Lane[] = groups.map(({ name, inFlight }) => ({
      inFlight,
      waiting: database.statement(OLDEST_OF_GROUP).all({ queue, group: name, at, max }) as unknown as Candidate[],
    }));
    const picked: Candidate[] = [];
    while (picked.length < max) {
      const ready = lanes.filter((lane) => lane.waiting.length > 0);
      if (ready.length === 0) break;
      const lane = ready.reduce((best, other) => (isBefore(other, best) ? other : best));
      picked.push(lane.waiting.shift()!);
      lane.inFlight++;
    }
    return picked;
  }

  /** Inside a write: nobody else takes the same messages. */
  function take(queue: QueueName, { max, visibilityTimeoutSeconds }: ReceiveOptions): ReceivedMessage[] {
    const at = now();
    const taken: ReceivedMessage[] = [];
    while (taken.length < max) {
      const picked = pick(queue, max - taken.length, at);
      if (picked.length === 0) break;
      for (const { id, receiveCount } of picked) {
        if (receiveCount >= MAX_RECEIVE_COUNT) {
          database.statement(BURY).run({ id, dead: deadLetters(queue), at });
          continue;
        }
        const row = database.statement(TAKE).get({ id, until: at + visibilityTimeoutSeconds * 1000, owner });
        const { messageId, body } = row as { messageId: string; body: string };
        taken.push({ messageId, receiptHandle: `${id}:${receiveCount + 1}`, body, receiveCount: receiveCount + 1 });
      }
      // What is taken with a timeout of 0 is visible still, and must not be delivered twice in one answer.
      if (visibilityTimeoutSeconds === 0) break;
    }
    return taken;
  }

  return {
    async send(queue, messages) {
      checkOutgoing(queue, messages);
      if (messages.length === 0) return;
      await database.write(() => {
        const at = now();
        const insert = database.statement(INSERT);
        for (const { body, delaySeconds = 0, group = '' } of messages) {
          insert.run({ messageId: randomUUID(), queue, group, visibleAt: at + delaySeconds * 1000, body });
        }
      });
      waiters.wake(queue);
    },

    async receive(queue, options) {
      checkReceive(options);
      const { signal, waitSeconds = 0 } = options;
      const until = performance.now() + waitSeconds * 1000;
      while (!signal?.aborted) {
        // Looking first costs no write, and an idle worker looks ten times a second.
        const waiting = database.statement(ANY_VISIBLE).get({ queue, at: now() });
        const taken = waiting ? await database.write(() => (signal?.aborted ? [] : take(queue, options))) : [];
        const leftMs = until - performance.now();
        if (taken.length > 0 || leftMs <= 0) return taken;
        await waiters.wait(queue, Math.min(leftMs, POLL_MS), signal);
      }
      return [];
    },

    async delete(queue, receiptHandles) {
      const receipts = receiptHandles.map(parseReceipt);
      if (receipts.length === 0) return;
      await database.write(() => {
        for (const receipt of receipts) database.statement(DELETE).run({ queue, ...receipt });
      });
    },

    async retryAfter(queue, receiptHandle, delaySeconds) {
      checkSeconds('delaySeconds', delaySeconds, 0, VISIBILITY_MAX_SECONDS);
      const receipt = parseReceipt(receiptHandle);
      await database.write(() =>
        database.statement(RETRY).run({ queue, ...receipt, visibleAt: now() + delaySeconds * 1000 }),
      );
      if (delaySeconds === 0) waiters.wake(queue);
    },

    async counts(queue) {
      const at = now();
      const row = database.statement(COUNTS).get({ queue, at }) as {
        visible: number;
        inFlight: number;
        delayed: number;
      };
      const dead = database.statement(COUNT_ALL).get({ queue: deadLetters(queue) }) as { messages: number };
      return { visible: row.visible, inFlight: row.inFlight, delayed: row.delayed, dead: dead.messages };
    },

    async redrive(queue) {
      const moved = await database.write(() =>
        database.statement(REDRIVE).run({ queue, dead: deadLetters(queue), at: now() }),
      );
      waiters.wake(queue);
      return Number(moved.changes);
    },

    async releaseDead() {
      const owners = database.statement(OWNERS).all() as unknown as { owner: string }[];
      const ended = owners.map((row) => row.owner).filter((name) => !isAlive(name));
      if (ended.length === 0) return 0;
      const released = await database.write(() =>
        ended.reduce(
          (sum, name) => sum + Number(database.statement(RELEASE).run({ owner: name, at: now() }).changes),
          0,
        ),
      );
      waiters.wakeAll();
      return released;
    },
  };
}

/** What other processes send, and what becomes visible by time, is looked for so often. */
const POLL_MS = 100;

interface Candidate {
  readonly id: number;
  readonly receiveCount: number;
  readonly visibleAt: number;
}

/** The visible messages of one group, oldest first, and how many of it are being worked on. */
interface Lane {
  inFlight: number;
  readonly waiting: Candidate[];
}

function isBefore(one: Lane, other: Lane): boolean {
  if (one.inFlight !== other.inFlight) return one.inFlight < other.inFlight;
  return one.waiting[0]!.visibleAt < other.waiting[0]!.visibleAt;
}

/** Dead letters are messages of a queue that nobody receives from. */
const deadLetters = (queue: QueueName) => `${queue}.dead`;

/** A receipt names the delivery: once the message has been delivered again, it names nothing. */
function parseReceipt(receiptHandle: string): { id: number; receiveCount: number } {
  const [id, receiveCount] = receiptHandle.split(':').map(Number);
  return { id: id || 0, receiveCount: receiveCount || 0 };
}

// `owner` is set while a message is in flight: received, and neither deleted nor given back. The body comes last, so
// that the other columns are found without reading through it.
const SCHEMA = `
CREATE TABLE IF NOT EXISTS messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  message_id TEXT NOT NULL,
  queue TEXT NOT NULL,
  message_group TEXT NOT NULL,
  visible_at_ms INTEGER NOT NULL,
  receive_count INTEGER NOT NULL DEFAULT 0,
  owner TEXT,
  body TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS messages_by_visibility ON messages (queue, message_group, visible_at_ms);
CREATE INDEX IF NOT EXISTS messages_in_flight ON messages (queue, message_group, visible_at_ms, owner) WHERE owner IS NOT NULL;
`;

const INSERT = `INSERT INTO messages (message_id, queue, message_group, visible_at_ms, body)
VALUES (:messageId, :queue, :group, :visibleAt, :body)`;

// Hops from group to group along the index, so that a long queue costs no more than a short one.
const GROUPS = `groups (name) AS (
  SELECT min(message_group) FROM messages WHERE queue = :queue
  UNION ALL
  SELECT (SELECT min(message_group) FROM messages WHERE queue = :queue AND message_group > name) FROM groups WHERE name IS NOT NULL
)`;

const IS_VISIBLE =
  'EXISTS (SELECT 1 FROM messages WHERE queue = :queue AND message_group = name AND visible_at_ms <= :at)';

const ANY_VISIBLE = `WITH RECURSIVE ${GROUPS} SELECT 1 FROM groups WHERE ${IS_VISIBLE} LIMIT 1`;

const VISIBLE_GROUPS = `WITH RECURSIVE ${GROUPS}
SELECT name, (
  SELECT count(*) FROM messages
  WHERE queue = :queue AND message_group = name AND visible_at_ms > :at AND owner IS NOT NULL
) AS inFlight
FROM groups WHERE ${IS_VISIBLE}`;

const OLDEST_OF_GROUP = `SELECT id, receive_count AS receiveCount, visible_at_ms AS visibleAt FROM messages
WHERE queue = :queue AND message_group = :group AND visible_at_ms <= :at ORDER BY visible_at_ms, id LIMIT :max`;

const TAKE = `UPDATE messages SET visible_at_ms = :until, receive_count = receive_count + 1, owner = :owner
WHERE id = :id RETURNING message_id AS messageId, body`;

const BURY = 'UPDATE messages SET queue = :dead, visible_at_ms = :at, owner = NULL WHERE id = :id';

const DELETE = 'DELETE FROM messages WHERE id = :id AND queue = :queue AND receive_count = :receiveCount';

const RETRY = `UPDATE messages SET visible_at_ms = :visibleAt, owner = NULL
WHERE id = :id AND queue = :queue AND receive_count = :receiveCount`;

const COUNTS = `SELECT
  count(*) FILTER (WHERE visible_at_ms <= :at) AS visible,
  count(*) FILTER (WHERE visible_at_ms > :at AND owner IS NOT NULL) AS inFlight,
  count(*) FILTER (WHERE visible_at_ms > :at AND owner IS NULL) AS delayed
FROM messages WHERE queue = :queue`;

const COUNT_ALL = 'SELECT count(*) AS messages FROM messages WHERE queue = :queue';

const REDRIVE =
  'UPDATE messages SET queue = :queue, visible_at_ms = :at, receive_count = 0, owner = NULL WHERE queue = :dead';

const OWNERS = 'SELECT DISTINCT owner FROM messages WHERE owner IS NOT NULL';

const RELEASE = 'UPDATE messages SET visible_at_ms = min(visible_at_ms, :at), owner = NULL WHERE owner = :owner';
