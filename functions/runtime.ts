import type { Backend } from '../shared/backends/backend.ts';
import { openBackend, readSettings } from '../shared/backends/config.ts';
import { systemClock } from '../shared/core/clock.ts';
import type { Environment } from '../shared/core/env.ts';
import { jsonLogger } from '../shared/core/logger.ts';
import { Redactor } from '../shared/core/redaction.ts';
import { tlsWarning } from '../shared/core/tls.ts';
import { type OpenRefreshOptions, openRefresh } from '../shared/operations/open.ts';
import type { Inbox } from '../shared/queue/batch.ts';
import type { QueueName } from '../shared/queue/queue.ts';
import type { RefreshDeps } from '../shared/refresh/deps.ts';
import type { Secrets } from '../shared/secrets/secrets.ts';
import { openPipelines } from './pipelines.ts';

/** What every function works with, whoever feeds it: Lambda, `serverless invoke local`, or the worker on one machine. */
export interface Runtime {
  readonly deps: RefreshDeps;
  /** As they are now: whoever keeps them for a while, does so itself. */
  readonly secrets: Secrets;
  inbox(queue: QueueName): Inbox;
}

/** What one function needs and the others do without. */
export type RuntimeOptions = Pick<OpenRefreshOptions, 'tasks'>;

/** Opens the runtime at the first invocation of a container, and keeps it; a bad setting fails each of them until it is mended. */
export function configure(env: Environment, also: RuntimeOptions = {}): () => Promise<Runtime> {
  let opened: Promise<Runtime> | undefined;
  return () => {
    opened ??= open(env, also).catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
}

async function open(env: Environment, also: RuntimeOptions): Promise<Runtime> {
  const settings = readSettings(env);
  const redactor = new Redactor();
  const log = jsonLogger({ clock: systemClock, redactor, level: settings.logLevel });
  const warning = tlsWarning(env);
  if (warning) log.warn(warning);
  const backend = await openBackend(settings, env, systemClock);
  const pipelines = await openPipelines(settings.pipelines);
  return runtimeOf(openRefresh({ backend, pipelines, log, redactor, clock: systemClock, ...also }), backend);
}

export function runtimeOf(deps: RefreshDeps, { queues, secrets }: Pick<Backend, 'queues' | 'secrets'>): Runtime {
  return { deps, secrets, inbox: (queue) => ({ queue, queues, log: deps.log, redactor: deps.redactor }) };
}
