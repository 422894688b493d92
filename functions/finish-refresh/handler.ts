import { parseFinishRefresh } from '../../shared/queue/messages.ts';
import { finishRefresh } from '../../shared/steps/finish-refresh.ts';
import { type QueueFunction, queueHandler } from '../queue-function.ts';
import { configure } from '../runtime.ts';

/** Publishes what a complete run shows, and ends the run. */
export const finishRefreshFunction: QueueFunction<ReturnType<typeof parseFinishRefresh>> = {
  queue: 'finish-refresh',
  parse: parseFinishRefresh,
  step: (message, _delivery, deps) => finishRefresh(message, deps),
};

export const handler = queueHandler(finishRefreshFunction, configure(process.env));
