import { parseStreamUpload } from '../../shared/queue/messages.ts';
import { streamUpload } from '../../shared/steps/stream-upload.ts';
import { type QueueFunction, queueHandler } from '../queue-function.ts';
import { configure } from '../runtime.ts';

/** Brings one sink of a pipeline on. */
export const streamUploadFunction: QueueFunction<ReturnType<typeof parseStreamUpload>> = {
  queue: 'stream-upload',
  parse: parseStreamUpload,
  step: streamUpload,
};

export const handler = queueHandler(streamUploadFunction, configure(process.env));
