import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, describe, expect, it } from 'vitest';
import { createSqsQueues, sqsQueues } from '../../shared/queue/sqs.ts';
import { queueContract } from '../shared/queue/queue-contract.ts';

const client = new SQSClient();
afterAll(() => client.destroy());

async function freshQueues() {
  const { urls, deadLetterUrls } = await createSqsQueues(client, `test-${randomUUID()}`);
  return sqsQueues(client, urls, deadLetterUrls);
}

describe('sqsQueues on an AWS-compatible endpoint', () => {
  queueContract(async () => ({
    queues: await freshQueues(),
    pass: async (seconds) => void (await wait(seconds * 1000 + 100)),
  }));

  it('finds queues that have been made before', async () => {
    const prefix = `test-${randomUUID()}`;

    expect(await createSqsQueues(client, prefix)).toEqual(await createSqsQueues(client, prefix));
  });

  it('names a queue that is not there, not to be tried again', async () => {
    const { urls, deadLetterUrls } = await createSqsQueues(client, `test-${randomUUID()}`);
    const queues = sqsQueues(client, { ...urls, 'read-bytes': `${urls['read-bytes']}-missing` }, deadLetterUrls);

    await expect(queues.send('read-bytes', [{ body: 'x' }])).rejects.toMatchObject({
      code: 'QueueRefused',
      retryable: false,
    });
  });
});
