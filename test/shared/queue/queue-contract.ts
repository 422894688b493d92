import { beforeEach, describe, expect, it } from 'vitest';
import { messageJson } from '../../../shared/queue/outgoing.ts';
import {
  MAX_RECEIVE_COUNT,
  MESSAGE_MAX_BYTES,
  type Queues,
  type ReceivedMessage,
} from '../../../shared/queue/queue.ts';

export interface QueueWorld {
  /** Empty queues that nobody else uses. */
  readonly queues: Queues;
  /** Lets so much time pass for the queues. */
  pass(seconds: number): Promise<void>;
}

const now = { max: 10, visibilityTimeoutSeconds: 30 };

/** Receives until nothing comes any more: an endpoint may hand out fewer than it has. */
async function drain(queues: Queues, visibilityTimeoutSeconds = 30): Promise<ReceivedMessage[]> {
  const all: ReceivedMessage[] = [];
  for (;;) {
    const some = await queues.receive('read-bytes', { max: 10, visibilityTimeoutSeconds });
    if (some.length === 0) return all;
    all.push(...some);
  }
}

const bodies = (messages: readonly ReceivedMessage[]) => messages.map(({ body }) => body).sort();

/** What every implementation of the queues must do. */
export function queueContract(makeWorld: () => Promise<QueueWorld>): void {
  let queues: Queues;
  let pass: QueueWorld['pass'];
  beforeEach(async () => {
    ({ queues, pass } = await makeWorld());
  });

  describe('send and receive', () => {
    it('delivers what was sent, once, with its first receive count', async () => {
      await queues.send('read-bytes', [{ body: '{"a":1}' }, { body: 'zwei – 二' }]);

      const received = await drain(queues);

      expect(bodies(received)).toEqual(['zwei – 二', '{"a":1}'].sort());
      expect(received.map(({ receiveCount }) => receiveCount)).toEqual([1, 1]);
      expect(new Set(received.map(({ messageId }) => messageId)).size).toBe(2);
      expect(await queues.receive('read-bytes', now)).toEqual([]);
    });

    it('keeps queues apart', async () => {
      await queues.send('list-objects', [{ body: 'list' }]);

      expect(await queues.receive('read-bytes', now)).toEqual([]);
      expect(bodies(await queues.receive('list-objects', now))).toEqual(['list']);
    });

    it('sends any number of messages, none included, and receives at most so many', async () => {
      await queues.send('read-bytes', []);
      await queues.send(
        'read-bytes',
        Array.from({ length: 25 }, (_, n) => ({ body: `m${n}`, group: `g${n % 3}` })),
      );

      const some = await queues.receive('read-bytes', { max: 4, visibilityTimeoutSeconds: 30 });
      const rest = await drain(queues);

      expect(some.length).toBeGreaterThan(0);
      expect(some.length).toBeLessThanOrEqual(4);
      expect(new Set(bodies([...some, ...rest])).size).toBe(25);
    });

    it('sends messages that together pass the size of one request', async () => {
      const large = 'x'.repeat(400 * 1024);
      await queues.send('read-bytes', [{ body: `1${large}` }, { body: `2${large}` }, { body: `3${large}` }]);

      expect((await drain(queues)).map(({ body }) => body[0]).sort()).toEqual(['1', '2', '3']);
    });

    it('carries a body of 1 MiB and refuses one that is larger, also in UTF-8, with all that was sent with it', async () => {
      const limit = 'é'.repeat(MESSAGE_MAX_BYTES / 2);
      await queues.send('read-bytes', [{ body: limit }]);

      await expect(queues.send('read-bytes', [{ body: 'small' }, { body: `${limit}x` }])).rejects.toMatchObject({
        code: 'MessageTooLarge',
        retryable: false,
      });
      expect(bodies(await drain(queues))).toEqual([limit]);
    });

    it('carries any name inside JSON, and refuses characters it does not carry', async () => {
      const name = 'nul\u0000 bell\u0007 half\uD800 \uFFFE\uFFFF tab\t 😀';
      await queues.send('read-bytes', [{ body: messageJson({ name }) }]);

      expect(JSON.parse((await drain(queues))[0]!.body)).toEqual({ name });
      await expect(queues.send('read-bytes', [{ body: 'raw \uFFFF' }])).rejects.toMatchObject({ code: 'InvalidInput' });
    });

    it('takes any group name', async () => {
      const groups = ['canvas', 'with blanks', 'ümlaut', 'x'.repeat(300)];
      await queues.send(
        'read-bytes',
        groups.map((group) => ({ body: group, group })),
      );

      expect(bodies(await drain(queues))).toEqual([...groups].sort());
    });

    it.each([
      ['a delay over 15 minutes', (on: Queues) => on.send('read-bytes', [{ body: 'x', delaySeconds: 901 }])],
      ['more than ten messages', (on: Queues) => on.receive('read-bytes', { ...now, max: 11 })],
      ['a wait over 20 seconds', (on: Queues) => on.receive('read-bytes', { ...now, waitSeconds: 21 })],
      [
        'a timeout over 12 hours',
        (on: Queues) => on.receive('read-bytes', { ...now, visibilityTimeoutSeconds: 43_201 }),
      ],
    ])('refuses %s', async (_what, call) => {
      await expect(call(queues)).rejects.toMatchObject({ code: 'InvalidInput' });
    });
  });

  describe('delay and visibility', () => {
    it('holds a delayed message back for its delay', async () => {
      await queues.send('read-bytes', [{ body: 'late', delaySeconds: 2 }, { body: 'soon' }]);

      expect(bodies(await drain(queues))).toEqual(['soon']);
      expect(await queues.counts('read-bytes')).toMatchObject({ visible: 0, delayed: 1 });
      await pass(2);
      expect(bodies(await drain(queues))).toEqual(['late']);
    });

    it('delivers a message again when its visibility timeout is over, and counts', async () => {
      await queues.send('read-bytes', [{ body: 'again' }]);
      const [first] = await drain(queues, 1);

      expect(await queues.receive('read-bytes', now)).toEqual([]);
      await pass(1);
      const [second] = await drain(queues);

      expect(second).toMatchObject({ messageId: first!.messageId, body: 'again', receiveCount: 2 });
    });

    it('does not deliver a deleted message again', async () => {
      await queues.send(
        'read-bytes',
        Array.from({ length: 12 }, (_, n) => ({ body: `m${n}` })),
      );
      const received = await drain(queues, 1);

      await queues.delete(
        'read-bytes',
        received.map(({ receiptHandle }) => receiptHandle),
      );
      await queues.delete('read-bytes', []);
      await pass(1);

      expect(await drain(queues)).toEqual([]);
      expect(await queues.counts('read-bytes')).toEqual({ visible: 0, inFlight: 0, delayed: 0, dead: 0 });
    });

    it('makes a message visible again after the delay asked for, at once for 0', async () => {
      await queues.send('read-bytes', [{ body: 'back' }]);
      const [first] = await drain(queues);
      await queues.retryAfter('read-bytes', first!.receiptHandle, 0);
      const [second] = await drain(queues);
      expect(second).toMatchObject({ body: 'back', receiveCount: 2 });

      await queues.retryAfter('read-bytes', second!.receiptHandle, 2);
      expect(await drain(queues)).toEqual([]);
      await pass(2);
      expect(await drain(queues)).toMatchObject([{ body: 'back', receiveCount: 3 }]);
    });

    it('ignores a receipt of a message that is gone', async () => {
      await queues.send('read-bytes', [{ body: 'gone' }]);
      const [{ receiptHandle } = { receiptHandle: '' }] = await drain(queues);
      await queues.delete('read-bytes', [receiptHandle]);

      await queues.delete('read-bytes', [receiptHandle]);
      await queues.retryAfter('read-bytes', receiptHandle, 0);

      expect(await drain(queues)).toEqual([]);
    });

    it('counts what is visible and what is in flight', async () => {
      await queues.send('read-bytes', [{ body: 'a' }, { body: 'b' }, { body: 'c' }]);
      const received = await queues.receive('read-bytes', { max: 1, visibilityTimeoutSeconds: 30 });

      expect(received).toHaveLength(1);
      expect(await queues.counts('read-bytes')).toEqual({ visible: 2, inFlight: 1, delayed: 0, dead: 0 });
    });
  });

  describe('dead letters', () => {
    async function killOne(): Promise<void> {
      await queues.send('read-bytes', [{ body: 'poison', group: 'canvas' }]);
      for (let delivery = 1; delivery <= MAX_RECEIVE_COUNT; delivery++) {
        const [message] = await drain(queues);
        expect(message?.receiveCount).toBe(delivery);
        await queues.retryAfter('read-bytes', message!.receiptHandle, 0);
      }
    }

    it('sets a message aside after the last delivery', async () => {
      await killOne();

      expect(await drain(queues)).toEqual([]);
      expect(await queues.counts('read-bytes')).toEqual({ visible: 0, inFlight: 0, delayed: 0, dead: 1 });
    });

    it('sends dead letters back, to be delivered as if new', async () => {
      await killOne();
      await drain(queues);

      expect(await queues.redrive('read-bytes')).toBe(1);

      expect(await drain(queues)).toMatchObject([{ body: 'poison', receiveCount: 1 }]);
      expect(await queues.counts('read-bytes')).toMatchObject({ dead: 0 });
      expect(await queues.redrive('read-bytes')).toBe(0);
    });
  });

  describe('waiting', () => {
    it('returns as soon as something is sent', async () => {
      const receiving = queues.receive('read-bytes', { ...now, waitSeconds: 20 });
      await queues.send('read-bytes', [{ body: 'there' }]);

      expect(bodies(await receiving)).toEqual(['there']);
    });

    it('returns nothing when the wait is over', async () => {
      const began = performance.now();

      expect(await queues.receive('read-bytes', { ...now, waitSeconds: 1 })).toEqual([]);
      expect(performance.now() - began).toBeGreaterThan(900);
    });

    it('returns nothing when it is aborted, before or meanwhile', async () => {
      const stop = new AbortController();
      const receiving = queues.receive('read-bytes', { ...now, waitSeconds: 20, signal: stop.signal });
      stop.abort();

      expect(await receiving).toEqual([]);
      expect(await queues.receive('read-bytes', { ...now, waitSeconds: 20, signal: stop.signal })).toEqual([]);
    });
  });
}
