import { setTimeout as wait } from 'node:timers/promises';
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SQSClient,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { awsStatus, describeAwsError, isTransientAwsError } from '../core/aws-errors.ts';
import { backoffMs } from '../core/backoff.ts';
import { chunksOf, forEachLimit } from '../core/concurrency.ts';
import { IngestError } from '../core/errors.ts';
import { idOf } from '../core/ids.ts';
import {
  BATCH_MAX_ENTRIES,
  checkOutgoing,
  checkReceive,
  checkSeconds,
  outgoingBatches,
  VISIBILITY_MAX_SECONDS,
} from './outgoing.ts';
import {
  MAX_RECEIVE_COUNT,
  type OutgoingMessage,
  QUEUE_NAMES,
  type QueueName,
  type Queues,
  QueueUnavailableError,
  type ReceivedMessage,
} from './queue.ts';

export type QueueUrls = Readonly<Record<QueueName, string>>;

export interface SqsQueuesOptions {
  /** 0 to 1, for the waits between repetitions. */
  readonly random?: () => number;
  readonly wait?: (ms: number) => Promise<unknown>;
}

/**
 * The queues in SQS: standard queues, with the group as message group id (SQS's fair queues). The client's own retries
 * come first; what they do not overcome is a `QueueUnavailableError`.
 *
 * `redrive` starts SQS's own move, which goes on after the call has returned.
 */
export function sqsQueues(
  client: SQSClient,
  urls: QueueUrls,
  deadLetterUrls: QueueUrls,
  { random = Math.random, wait: pause = wait }: SqsQueuesOptions = {},
): Queues {
  /** Sends a batch, and again the entries that SQS could not take just now. */
  async function inBatch<T>(
    what: string,
    entries: readonly T[],
    call: (entries: readonly T[]) => Promise<FailedEntry[]>,
    isHarmless: (failed: FailedEntry) => boolean = () => false,
  ): Promise<void> {
    let left = entries;
    for (let attempt = 0; ; attempt++) {
      const failed = (await call(left)).filter((entry) => !isHarmless(entry));
      const refused = failed.find((entry) => entry.SenderFault);
      if (refused) throw new QueueRefusedError(`SQS refused ${what}: ${refused.Code} ${refused.Message ?? ''}`);
      if (failed.length === 0) return;
      if (attempt + 1 === BATCH_ATTEMPTS) {
        throw new QueueUnavailableError(
          `SQS failed ${failed.length} entries of ${what} ${BATCH_ATTEMPTS} times: ${failed[0]!.Code}`,
        );
      }
      const entriesById = left;
      left = failed.map((entry) => entriesById[Number(entry.Id)]!);
      await pause(backoffMs(attempt, random, { firstMs: 100, maxMs: 5000 }));
    }
  }

  async function send(url: string, queue: QueueName, messages: readonly OutgoingMessage[]): Promise<void> {
    const sizes = checkOutgoing(queue, messages);
    await forEachLimit(outgoingBatches(messages, sizes), SENDS_AT_ONCE, (batch) =>
      inBatch(`messages to ${queue}`, batch, async (entries) => {
        const sent = await named(`send to ${queue}`, () =>
          client.send(
            new SendMessageBatchCommand({
              QueueUrl: url,
              Entries: entries.map(({ body, delaySeconds, group }, id) => ({
                Id: String(id),
                MessageBody: body,
                DelaySeconds: delaySeconds,
                MessageGroupId: group ? messageGroupId(group) : undefined,
              })),
            }),
          ),
        );
        return sent.Failed ?? [];
      }),
    );
  }

  async function remove(url: string, queue: QueueName, receiptHandles: readonly string[]): Promise<void> {
    for (const batch of chunksOf(receiptHandles, BATCH_MAX_ENTRIES)) {
      const call = async (handles: readonly string[]) => {
        const Entries = handles.map((handle, id) => ({ Id: String(id), ReceiptHandle: handle }));
        const command = new DeleteMessageBatchCommand({ QueueUrl: url, Entries });
        return (await named(`delete from ${queue}`, () => client.send(command))).Failed ?? [];
      };
      await inBatch(`deletes from ${queue}`, batch, call, (failed) => isOutdatedReceipt(failed.Code));
    }
  }

  async function attributesOf(
    url: string,
    what: string,
  ): Promise<{ visible: number; inFlight: number; delayed: number; arn: string }> {
    const command = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['All'] });
    const { Attributes = {} } = await named(what, () => client.send(command));
    return {
      visible: Number(Attributes.ApproximateNumberOfMessages ?? 0),
      inFlight: Number(Attributes.ApproximateNumberOfMessagesNotVisible ?? 0),
      delayed: Number(Attributes.ApproximateNumberOfMessagesDelayed ?? 0),
      arn: Attributes.QueueArn ?? '',
    };
  }

  /** Where SQS does not move dead letters itself. A crash between the send and the delete repeats some. */
  async function redriveByHand(queue: QueueName): Promise<number> {
    const deadUrl = deadLetterUrls[queue];
    for (let moved = 0; ; ) {
      const { Messages = [] } = await named(`redrive of ${queue}`, () =>
        client.send(
          new ReceiveMessageCommand({
            QueueUrl: deadUrl,
            MaxNumberOfMessages: BATCH_MAX_ENTRIES,
            VisibilityTimeout: 60,
            MessageSystemAttributeNames: ['MessageGroupId'],
          }),
        ),
      );
      if (Messages.length === 0) return moved;
      await send(
        urls[queue],
        queue,
        Messages.map(({ Body = '', Attributes }) => ({ body: Body, group: Attributes?.MessageGroupId })),
      );
      await remove(
        deadUrl,
        queue,
        Messages.map(({ ReceiptHandle = '' }) => ReceiptHandle),
      );
      moved += Messages.length;
    }
  }

  return {
    send: (queue, messages) => send(urls[queue], queue, messages),

    async receive(queue, options) {
      checkReceive(options);
      const { max, visibilityTimeoutSeconds, waitSeconds = 0, signal } = options;
      if (signal?.aborted) return [];
      const command = new ReceiveMessageCommand({
        QueueUrl: urls[queue],
        MaxNumberOfMessages: max,
        VisibilityTimeout: visibilityTimeoutSeconds,
        WaitTimeSeconds: waitSeconds,
        MessageSystemAttributeNames: ['ApproximateReceiveCount'],
      });
      // The call itself is not aborted: what SQS handed out to a call that nobody waits for would stay unseen until its
      // timeout is over, which may be hours.
      const { Messages = [] } = await named(`receive from ${queue}`, () => client.send(command));
      const messages = Messages.map(received);
      if (!signal?.aborted) return messages;
      await Promise.all(messages.map(({ receiptHandle }) => this.retryAfter(queue, receiptHandle, 0)));
      return [];
    },

    delete: (queue, receiptHandles) => remove(urls[queue], queue, receiptHandles),

    async retryAfter(queue, receiptHandle, delaySeconds) {
      checkSeconds('delaySeconds', delaySeconds, 0, VISIBILITY_MAX_SECONDS);
      const command = new ChangeMessageVisibilityCommand({
        QueueUrl: urls[queue],
        ReceiptHandle: receiptHandle,
        VisibilityTimeout: delaySeconds,
      });
      await named(`change visibility in ${queue}`, async () => {
        try {
          await client.send(command);
        } catch (error) {
          if (!(error instanceof Error) || !isOutdatedReceipt(error.name)) throw error;
        }
      });
    },

    async counts(queue) {
      const [{ visible, inFlight, delayed }, dead] = await Promise.all([
        attributesOf(urls[queue], `counts of ${queue}`),
        attributesOf(deadLetterUrls[queue], `counts of the dead letters of ${queue}`),
      ]);
      return { visible, inFlight, delayed, dead: dead.visible + dead.inFlight + dead.delayed };
    },

    async redrive(queue) {
      const dead = await attributesOf(deadLetterUrls[queue], `redrive of ${queue}`);
      if (dead.visible === 0) return 0;
      try {
        await client.send(new StartMessageMoveTaskCommand({ SourceArn: dead.arn }));
      } catch (error) {
        if (isMoving(error)) return dead.visible;
        if (isNotOffered(error)) return redriveByHand(queue);
        throw queueError(error, `redrive of ${queue}`);
      }
      return dead.visible;
    },
  };
}

/**
 * Makes the queues of a local endpoint, each with its dead-letter queue; queues that are there are left as they are.
 * In an AWS account the stack makes them.
 */
export async function createSqsQueues(
  client: SQSClient,
  prefix: string,
): Promise<{ urls: QueueUrls; deadLetterUrls: QueueUrls }> {
  const create = async (name: string, attributes: Record<string, string> = {}): Promise<string> => {
    const Attributes = { MessageRetentionPeriod: String(14 * 86_400), ...attributes };
    const command = new CreateQueueCommand({ QueueName: `${prefix}-${name}`, Attributes });
    return (await named(`create ${name}`, () => client.send(command))).QueueUrl ?? '';
  };
  const urls: Record<string, string> = {};
  const deadLetterUrls: Record<string, string> = {};
  for (const queue of QUEUE_NAMES) {
    const QueueUrl = await create(`${queue}-dead`);
    const command = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] });
    const { Attributes } = await named(`create ${queue}`, () => client.send(command));
    const deadLetters = { deadLetterTargetArn: Attributes?.QueueArn, maxReceiveCount: MAX_RECEIVE_COUNT };
    deadLetterUrls[queue] = QueueUrl;
    urls[queue] = await create(queue, { RedrivePolicy: JSON.stringify(deadLetters) });
  }
  return { urls: urls as QueueUrls, deadLetterUrls: deadLetterUrls as QueueUrls };
}

/** Where the queues of a deployed stack are: `<prefix>-read-bytes`, its dead letters `<prefix>-read-bytes-dead`, and so on. */
export async function findSqsQueues(
  client: SQSClient,
  prefix: string,
): Promise<{ urls: QueueUrls; deadLetterUrls: QueueUrls }> {
  const find = async (name: string): Promise<string> => {
    const command = new GetQueueUrlCommand({ QueueName: `${prefix}-${name}` });
    return (await named(`find ${prefix}-${name}`, () => client.send(command))).QueueUrl ?? '';
  };
  const all = async (suffix: string) =>
    Object.fromEntries(await Promise.all(QUEUE_NAMES.map(async (queue) => [queue, await find(`${queue}${suffix}`)])));
  const [urls, deadLetterUrls] = await Promise.all([all(''), all('-dead')]);
  return { urls, deadLetterUrls };
}

/** SQS refused a message or a request for good: access, a queue that is not there, a body it does not carry. */
export class QueueRefusedError extends IngestError {
  override readonly name = 'QueueRefusedError';
  readonly code = 'QueueRefused';
  readonly retryable = false;
}

const BATCH_ATTEMPTS = 5;
const SENDS_AT_ONCE = 4;

interface FailedEntry {
  readonly Id: string | undefined;
  readonly Code: string | undefined;
  readonly SenderFault: boolean | undefined;
  readonly Message?: string;
}

function received({ MessageId = '', ReceiptHandle = '', Body = '', Attributes }: Message): ReceivedMessage {
  const receiveCount = Number(Attributes?.ApproximateReceiveCount ?? 1);
  return { messageId: MessageId, receiptHandle: ReceiptHandle, body: Body, receiveCount };
}

/** A group id has 1 to 128 printable ASCII characters; another name is told apart by its hash. */
function messageGroupId(group: string): string {
  return /^[!-~]{1,128}$/.test(group) ? group : idOf(group);
}

/** The delays asked for are checked before, so that a wrong value can only be a receipt whose time is over. */
function isOutdatedReceipt(name: string | undefined): boolean {
  return name === 'ReceiptHandleIsInvalid' || name === 'MessageNotInflight' || name === 'InvalidParameterValue';
}

/** Only one move of a queue runs at a time; another has been started already. */
function isMoving(error: unknown): boolean {
  return error instanceof Error && /already a task running|one active task/i.test(error.message);
}

/** The endpoint has no such operation, and says so in its own words or (moto) with a page that is no reply of SQS's. */
function isNotOffered(error: unknown): boolean {
  const names = ['InvalidAction', 'UnknownOperationException', 'UnsupportedOperation', 'NotImplemented', 'SyntaxError'];
  return awsStatus(error) === 501 || (error instanceof Error && names.includes(error.name));
}

async function named<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw queueError(error, what);
  }
}

function queueError(error: unknown, what: string): Error {
  const message = `SQS, ${what}: ${describeAwsError(error)}`;
  if (isTransientAwsError(error)) return new QueueUnavailableError(message, { cause: error });
  return new QueueRefusedError(message, { cause: error });
}
