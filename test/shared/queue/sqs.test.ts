import type { SQSClient } from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import { type QueueUrls, sqsQueues } from '../../../shared/queue/sqs.ts';

interface Entry {
  readonly Id: string;
  readonly MessageBody?: string;
  readonly MessageGroupId?: string;
}

const urls: QueueUrls = {
  'list-objects': 'l',
  'poll-job': 'p',
  'stream-upload': 's',
  'read-bytes': 'r',
  'finish-refresh': 'f',
};

/** Queues whose client answers each request as told, and what was asked of it. */
function queuesThatAnswer(answer: (entries: readonly Entry[], call: number) => object) {
  const asked: (readonly Entry[])[] = [];
  const client = {
    async send({ input }: { input: { Entries?: readonly Entry[] } }) {
      asked.push(input.Entries ?? []);
      return answer(input.Entries ?? [], asked.length);
    },
  } as unknown as SQSClient;
  return { queues: sqsQueues(client, urls, urls, { random: () => 0, wait: async () => {} }), asked };
}

const awsError = (name: string, httpStatusCode?: number, message = '') =>
  Object.assign(new Error(message), { name, $metadata: { httpStatusCode, requestId: 'request-1' } });

describe('sqsQueues', () => {
  it('sends the entries that failed again, and only those', async () => {
    const { queues, asked } = queuesThatAnswer((_entries, call) =>
      call === 1 ? { Failed: [{ Id: '1', Code: 'InternalError', SenderFault: false }] } : {},
    );

    await queues.send('read-bytes', [{ body: 'a' }, { body: 'b' }, { body: 'c' }]);

    expect(asked.map((entries) => entries.map(({ MessageBody }) => MessageBody))).toEqual([['a', 'b', 'c'], ['b']]);
  });

  it('gives up entries that go on failing, to be tried later', async () => {
    const { queues, asked } = queuesThatAnswer(() => ({
      Failed: [{ Id: '0', Code: 'InternalError', SenderFault: false }],
    }));

    await expect(queues.send('read-bytes', [{ body: 'a' }])).rejects.toMatchObject({
      code: 'QueueUnavailable',
      retryable: true,
    });
    expect(asked).toHaveLength(5);
  });

  it('gives up an entry at once that SQS refuses', async () => {
    const { queues, asked } = queuesThatAnswer(() => ({
      Failed: [{ Id: '0', Code: 'InvalidMessageContents', SenderFault: true }],
    }));

    await expect(queues.send('read-bytes', [{ body: 'a' }])).rejects.toMatchObject({
      code: 'QueueRefused',
      retryable: false,
    });
    expect(asked).toHaveLength(1);
  });

  it('fills requests up to ten entries and 1 MiB', async () => {
    const { queues, asked } = queuesThatAnswer(() => ({}));
    const body = 'x'.repeat(400 * 1024);

    await queues.send(
      'read-bytes',
      Array.from({ length: 21 }, () => ({ body: 'small' })),
    );
    await queues.send('read-bytes', [{ body }, { body }, { body }]);

    expect(asked.map(({ length }) => length)).toEqual([10, 10, 1, 2, 1]);
  });

  it('passes the group on, hashed where SQS would not take it', async () => {
    const { queues, asked } = queuesThatAnswer(() => ({}));

    await queues.send('read-bytes', [
      { body: 'a', group: 'canvas' },
      { body: 'b', group: 'with blank' },
      { body: 'c' },
    ]);

    expect(asked[0]?.map(({ MessageGroupId }) => MessageGroupId)).toEqual([
      'canvas',
      expect.stringMatching(/^[\w-]{16}$/),
      undefined,
    ]);
  });

  it.each([
    ['throttling', awsError('RequestThrottled', 400), 'QueueUnavailable', true],
    ['a failure of the service', awsError('InternalFailure', 500), 'QueueUnavailable', true],
    [
      'a broken connection',
      Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' }),
      'QueueUnavailable',
      true,
    ],
    ['a queue that is not there', awsError('QueueDoesNotExist', 400), 'QueueRefused', false],
    ['missing rights', awsError('AccessDenied', 403), 'QueueRefused', false],
  ])('tells %s, with the request id', async (_what, error, code, retryable) => {
    const { queues } = queuesThatAnswer(() => {
      throw error;
    });

    const refusal = { code, retryable, message: expect.stringContaining('receive from read-bytes') };
    await expect(queues.receive('read-bytes', { max: 1, visibilityTimeoutSeconds: 1 })).rejects.toMatchObject(refusal);
  });

  it('lets a move that runs already count as started', async () => {
    const { queues } = queuesThatAnswer((_entries, call) => {
      if (call === 1) return { Attributes: { ApproximateNumberOfMessages: '3', QueueArn: 'arn' } };
      throw awsError('UnsupportedOperation', 400, 'There is already a task running. Only one active task is allowed.');
    });

    expect(await queues.redrive('read-bytes')).toBe(3);
  });
});
