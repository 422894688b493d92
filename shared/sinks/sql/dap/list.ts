import { Instant } from '../../../clients/dap/index.ts';
import type { SqlTarget } from '../target.ts';
import { parsePlace, sharedPlace } from './place.ts';

/** How a replica stands. */
export interface ReplicaStatus {
  readonly name: string;
  /** Up to when its data goes; null if the table is no replica. */
  readonly timestamp: string | null;
  readonly schemaVersion: number | null;
  /** Absent unless asked for. */
  readonly rows?: number;
}

/** Names of the replicas of a namespace, whoever made them, sorted. */
export async function replicaNames(target: SqlTarget, namespace: string): Promise<string[]> {
  const own = (await target.own.exist()) ? await target.own.tables(namespace) : [];
  const shared = await target.reference.names(namespace);
  return [...new Set([...own.map(({ name }) => name), ...shared])].sort();
}

/** @param counts whether to count rows, which reads each table */
export async function replicaStatus(target: SqlTarget, namespace: string, counts: boolean): Promise<ReplicaStatus[]> {
  const own = new Map(
    (await target.own.exist()) ? (await target.own.tables(namespace)).map((one) => [one.name, one]) : [],
  );
  const statuses: ReplicaStatus[] = [];
  for (const name of await replicaNames(target, namespace)) {
    const sync = await target.reference.get({ namespace, name });
    const place = sharedPlace(parsePlace(own.get(name)?.place ?? null), sync);
    statuses.push({
      name,
      timestamp: place?.timestamp ?? null,
      schemaVersion: place?.schemaVersion ?? null,
      ...(counts && { rows: await target.countRows({ namespace, name }) }),
    });
  }
  return statuses;
}

/** How old the data is. */
export const stalenessMs = (timestamp: string, now: Date): number => now.getTime() - Instant.from(timestamp).epochMs;
