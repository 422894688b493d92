import type { Objects } from '../landing/objects.ts';
import type { Queues } from '../queue/queue.ts';
import type { Secrets } from '../secrets/secrets.ts';
import type { Tables } from '../tables/table.ts';

/** Everything that is not a source or a sink: where state, messages, bytes and credentials are kept. */
export interface Backend {
  readonly kind: 'embedded' | 'aws';
  readonly tables: Tables;
  readonly queues: Queues;
  readonly objects: Objects;
  readonly secrets: Secrets;
  /** Gives back what workers that were killed still hold, and clears what has expired. Cheap; for when a worker is idle. */
  housekeep(): Promise<void>;
  close(): void;
}
