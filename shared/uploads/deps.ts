import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import type { Redactor } from '../core/redaction.ts';
import type { Objects } from '../landing/objects.ts';
import type { PipelineCatalog } from '../pipelines/catalog.ts';
import type { Queues } from '../queue/queue.ts';
import type { Secrets } from '../secrets/secrets.ts';
import type { SinkStore } from './store.ts';

/** What bringing sinks on touches. */
export interface UploadDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly redactor: Redactor;
  readonly pipelines: PipelineCatalog;
  readonly objects: Objects;
  readonly queues: Pick<Queues, 'send'>;
  readonly secrets: Secrets;
  readonly sinks: SinkStore;
  /** A local folder for what must be spooled; `/tmp` on Lambda. */
  readonly spoolFolder: string;
}
