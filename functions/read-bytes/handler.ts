import { parseReadBytes } from '../../shared/queue/messages.ts';
import { readBytes } from '../../shared/steps/read-bytes.ts';
import { type QueueFunction, queueHandler } from '../queue-function.ts';
import { configure } from '../runtime.ts';

/** Reads a group of partitions and commits each of them. */
export const readBytesFunction: QueueFunction<ReturnType<typeof parseReadBytes>> = {
  queue: 'read-bytes',
  parse: parseReadBytes,
  step: readBytes,
};

export const handler = queueHandler(readBytesFunction, configure(process.env));
