import middy from '@middy/core';
import { parseStartRefresh } from '../../shared/queue/messages.ts';
import { startRefresh } from '../../shared/steps/start-refresh.ts';
import { answering } from '../answering.ts';
import { configure } from '../runtime.ts';

const runtime = configure(process.env);

/** Opens a run of one pipeline: `{ "pipeline": "…" }` from a schedule, a rule or a person. */
export const handler = middy({ timeoutEarlyInMillis: 0 })
  .use(answering(runtime))
  .handler(async (event: unknown) => startRefresh(parseStartRefresh(event), (await runtime()).deps));
