import { parseListObjects } from '../../shared/queue/messages.ts';
import { listObjects } from '../../shared/steps/list-objects.ts';
import { type QueueFunction, queueHandler } from '../queue-function.ts';
import { configure } from '../runtime.ts';

/** Lists one node of a source and plans what is due below it. */
export const listObjectsFunction: QueueFunction<ReturnType<typeof parseListObjects>> = {
  queue: 'list-objects',
  parse: parseListObjects,
  step: listObjects,
};

export const handler = queueHandler(listObjectsFunction, configure(process.env));
