import {
  parseFinishRefresh,
  parseListObjects,
  parsePollJob,
  parseReadBytes,
  parseStreamUpload,
} from '../../shared/queue/messages.ts';
import type { QueueName } from '../../shared/queue/queue.ts';
import type { Delivery, RefreshDeps } from '../../shared/refresh/deps.ts';
import { finishRefresh } from '../../shared/steps/finish-refresh.ts';
import { listObjects } from '../../shared/steps/list-objects.ts';
import { pollJob } from '../../shared/steps/poll-job.ts';
import { readBytes } from '../../shared/steps/read-bytes.ts';
import { streamUpload } from '../../shared/steps/stream-upload.ts';

/** What the functions of the queues do with a message, without the runtime around them: for worlds that are one themselves. */
export const STEPS: Readonly<
  Record<QueueName, (body: unknown, delivery: Delivery, deps: RefreshDeps) => Promise<void>>
> = {
  'list-objects': (body, delivery, deps) => listObjects(parseListObjects(body), delivery, deps),
  'poll-job': (body, delivery, deps) => pollJob(parsePollJob(body), delivery, deps),
  'stream-upload': (body, delivery, deps) => streamUpload(parseStreamUpload(body), delivery, deps),
  'read-bytes': (body, delivery, deps) => readBytes(parseReadBytes(body), delivery, deps),
  'finish-refresh': (body, _delivery, deps) => finishRefresh(parseFinishRefresh(body), deps),
};
