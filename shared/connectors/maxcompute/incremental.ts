import type { MaxComputeClient } from '../../clients/maxcompute/index.ts';
import type { JsonObject } from '../../core/json.ts';
import { isObject } from '../../core/json.ts';
import type { Listed, ListRun, Metadata } from '../connector.ts';
import { standingOf } from './changes.ts';
import type { Lister } from './listing.ts';
import { INCREMENTAL_REFUSED } from './read-connector.ts';

/** Where a table stands: kept by the platform, and moved only when all that it covers has landed. */
export type TablePosition = JsonObject & {
  /** Up to which it was read, in digits; null where the table reports none: then it is read whole when it changes. */
  readonly version: string | null;
  /** How it stood when its session was asked for; null if that was not settled. */
  readonly stamp: string | null;
  /** Another one is another table, or is read otherwise. */
  readonly of: string;
};

/**
 * One session at a time: where the next one begins is known when all of the one before has landed. Where the table has no
 * versions, was made anew, is read otherwise, or does not have the changes any more, it is read whole, which opens a generation.
 */
export async function* listChanges(
  lister: Lister,
  client: MaxComputeClient,
  { table }: Metadata,
  run: ListRun,
): AsyncGenerator<Listed> {
  const { landedPosition, outstanding } = run.feed ?? { landedPosition: undefined, outstanding: [] };
  const last = outstanding.at(-1);
  if (last && last.error?.code !== INCREMENTAL_REFUSED) return;
  const name = lister.nameOf(String(table));
  const described = await lister.standing(client, name, run);
  const { stamp, isSettled } = await standingOf(client, name, lister.options, described, run.signal);
  const request = lister.requestFor(described.table);
  const of = `${described.table.tableId ?? ''}/${lister.requestId(request)}`;
  const position = { stamp: isSettled ? stamp : null, of };
  const from = isPosition(landedPosition) && landedPosition.of === of ? landedPosition : undefined;
  if (!last && from && from.stamp === stamp) return;
  if (last) await run.warn(`table ${table}: ${last.error!.message}; it is read whole`);
  const since = last ? null : (from?.version ?? null);
  const child = since === null ? `snapshot-${run.run}` : `since-${since}-${run.run}`;
  yield {
    name: child,
    fingerprint: child,
    isPrefix: true,
    kind: 'job',
    table: String(table),
    position,
    ...(since === null ? { generation: child } : {}),
    job: lister.jobOf(name, since === null ? request : { ...request, ...changesSince(lister, since) }),
  };
  await run.checkpoint(run.run);
}

function changesSince({ options }: Lister, version: string): JsonObject {
  const { mode = 'append', includesStart = false } = isObject(options.incremental) ? options.incremental : {};
  const startVersion = includesStart ? String(BigInt(version) + 1n) : version;
  return { incrementalRead: true, incrementalReadOptions: { mode, startVersion } } as unknown as JsonObject;
}

function isPosition(value: unknown): value is TablePosition {
  return isObject(value) && typeof value.of === 'string';
}
