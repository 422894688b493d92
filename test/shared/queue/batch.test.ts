import { describe, expect, it } from 'vitest';
import { InvalidInputError, RetryableError } from '../../../shared/core/errors.ts';
import { silentLogger } from '../../../shared/core/logger.ts';
import { Redactor } from '../../../shared/core/redaction.ts';
import { ms } from '../../../shared/core/units.ts';
import { settleBatch } from '../../../shared/queue/batch.ts';
import { RetryLaterError } from '../../../shared/queue/retry-later.ts';

function anInbox() {
  const putOff: [string, number][] = [];
  const lines: string[] = [];
  const log = {
    ...silentLogger,
    warn: (message: string, facts?: object) => void lines.push(`warn ${message} ${JSON.stringify(facts)}`),
    error: (message: string, facts?: object) => void lines.push(`error ${message} ${JSON.stringify(facts)}`),
  };
  const queues = {
    retryAfter: async (_queue: string, handle: string, delay: number) => void putOff.push([handle, delay]),
  };
  const redactor = new Redactor();
  redactor.add('canary-secret');
  return { inbox: { queue: 'read-bytes' as const, queues, log, redactor }, putOff, lines };
}

const record = (id: string, body: string, receiveCount = 1) => ({
  messageId: id,
  receiptHandle: `handle-${id}`,
  body,
  attributes: { ApproximateReceiveCount: String(receiveCount) },
});

describe('settleBatch', () => {
  it('runs the step for each, and answers with those that failed only', async () => {
    const { inbox } = anInbox();
    const seen: unknown[] = [];

    const answer = await settleBatch(
      [record('1', '{"n":1}'), record('2', '{"n":2}', 3), record('3', '{"n":3}')],
      inbox,
      async (body, message) => {
        seen.push([body, message]);
        if ((body as { n: number }).n === 2) throw new Error('no');
      },
    );

    expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: '2' }] });
    expect(seen).toEqual([
      [{ n: 1 }, { messageId: '1', receiveCount: 1 }],
      [{ n: 2 }, { messageId: '2', receiveCount: 3 }],
      [{ n: 3 }, { messageId: '3', receiveCount: 1 }],
    ]);
  });

  it('what is not JSON fails alone, by name', async () => {
    const { inbox, lines } = anInbox();

    const answer = await settleBatch([record('1', 'nonsense'), record('2', '{}')], inbox, async () => {});

    expect(answer.batchItemFailures).toEqual([{ itemIdentifier: '1' }]);
    expect(lines.join()).toContain('InvalidMessage');
  });

  it.each<[string, Error, number, number]>([
    ['the wait it asks for', new RetryableError('busy', { retryAfterMs: 90_500 }), 1, 91],
    ['the wait of a message that comes later', new RetryLaterError(ms(30_000), new Error('busy')), 4, 30],
    ['a second at first', new RetryableError('busy'), 1, 1],
    ['eight after three', new RetryableError('busy'), 4, 8],
    ['a quarter of an hour at most', new RetryableError('busy'), 30, 900],
    ['twelve hours at most, whatever is asked for', new RetryableError('busy', { retryAfterMs: 10 ** 9 }), 1, 43_200],
    ['a wait also for what cannot succeed', new InvalidInputError('wrong'), 2, 2],
  ])('puts a failed message off: %s', async (_what, error, receiveCount, delaySeconds) => {
    const { inbox, putOff } = anInbox();

    await settleBatch([record('1', '{}', receiveCount)], inbox, async () => {
      throw error;
    });

    expect(putOff).toEqual([['handle-1', delaySeconds]]);
  });

  it('warns of what may succeed later, and calls the rest errors; both redacted', async () => {
    const { inbox, lines } = anInbox();

    await settleBatch([record('1', '1'), record('2', '2')], inbox, async (body) => {
      throw body === 1 ? new RetryableError('busy canary-secret') : new Error('broken canary-secret');
    });

    expect(lines.filter((line) => line.startsWith('warn'))).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith('error'))).toHaveLength(1);
    expect(lines.join()).not.toContain('canary');
  });

  it('a message that cannot be put off comes again all the same', async () => {
    const { inbox } = anInbox();
    inbox.queues.retryAfter = async () => {
      throw new Error('receipt is out of date');
    };

    const answer = await settleBatch([record('1', '{}')], inbox, async () => {
      throw new Error('no');
    });

    expect(answer.batchItemFailures).toEqual([{ itemIdentifier: '1' }]);
  });
});
