import { externalTasks } from '../../shared/operations/tasks.ts';
import { parsePollJob } from '../../shared/queue/messages.ts';
import { pollJob } from '../../shared/steps/poll-job.ts';
import { type QueueFunction, queueHandler } from '../queue-function.ts';
import { configure } from '../runtime.ts';

/** Looks at an external job once. */
export const pollJobFunction: QueueFunction<ReturnType<typeof parsePollJob>> = {
  queue: 'poll-job',
  parse: parsePollJob,
  step: pollJob,
};

export const handler = queueHandler(pollJobFunction, configure(process.env, { tasks: externalTasks }));
