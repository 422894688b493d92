import middy from '@middy/core';
import { deadlineOf, type InvocationContext } from '../../shared/core/deadline.ts';
import { parseSweep } from '../../shared/queue/messages.ts';
import { sweep } from '../../shared/steps/sweep.ts';
import { answering } from '../answering.ts';
import { configure } from '../runtime.ts';

const runtime = configure(process.env);

/** Looks after lost messages, runs that do not end, and garbage: of all pipelines, or of `{ "pipeline": "…" }`. */
export const handler = middy({ timeoutEarlyInMillis: 0 })
  .use(answering(runtime))
  .handler(async (event: unknown, context: InvocationContext) => {
    using deadline = deadlineOf(context);
    return { swept: await sweep(parseSweep(event), deadline, (await runtime()).deps) };
  });
