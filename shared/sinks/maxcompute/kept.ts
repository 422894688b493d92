import type { JsonObject, JsonValue } from '../../core/json.ts';
import { isObject } from '../../core/json.ts';

/** What a write session must know to go on in another process. It holds no secret. */
export interface Kept {
  readonly session: string;
  readonly routeToken?: string;
  /** Whether the service counts the rows of a stream; undefined before anybody asked. */
  readonly counts?: boolean;
  /** Echoed to the service with rows. */
  readonly tableId?: string;
  readonly schemaVersion?: string;
  readonly lanes: readonly KeptLane[];
  /** All is uploaded, and the commit may have been sent: nothing but that commit may be done with the session. */
  readonly committing?: Committing;
}

/** A write stream, and the landed partition that is written to it, or was last. */
export interface KeptLane {
  readonly streamId: string;
  readonly version: number;
  /** Of the landed partition, among the changes of the transition. */
  readonly order: number;
  /** Rows of the stream that came before those of this partition. */
  readonly start: number;
}

/** What was known before the commit was first sent. */
export interface Committing {
  readonly streams: readonly { readonly streamId: string; readonly streamVersion: number }[];
  /** Of all streams; null if it is not known. */
  readonly rows: number | null;
  /** How the table was; null if nobody could say. */
  readonly table: TableStamp | null;
}

export interface TableStamp {
  /** Equal as long as nothing has changed. */
  readonly text: string;
  /** False if it is so young that another change may share it. */
  readonly isSettled: boolean;
  readonly rows: number | null;
}

/** Streams as lists, to stay small: id, version, order, start. */
export function keptToJson({ lanes, committing, ...rest }: Kept): JsonObject {
  return {
    ...rest,
    lanes: lanes.map(({ streamId, version, order, start }) => [streamId, version, order, start]),
    ...(committing ? { committing: committing as unknown as JsonObject } : {}),
  };
}

/** @returns undefined if nothing, or nothing of ours, was kept */
export function keptFromJson(json: JsonValue | undefined): Kept | undefined {
  if (!isObject(json) || typeof json.session !== 'string') return undefined;
  const lanes = (json.lanes as [string, number, number, number][]).map(([streamId, version, order, start]) => ({
    streamId,
    version,
    order,
    start,
  }));
  return { ...(json as unknown as Omit<Kept, 'lanes'>), lanes };
}
