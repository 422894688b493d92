import { isObject } from '../../../core/json.ts';
import { parseTimestamp } from '../../../records/temporal.ts';
import { isSameMicro, type SyncRow } from '../reference-tables.ts';

/** Up to when a replica goes. */
export interface ReplicaPlace {
  /** The watermark in the very words of the service. */
  readonly timestamp: string;
  readonly schemaVersion: number;
}

export const placeText = ({ timestamp, schemaVersion }: ReplicaPlace): string =>
  JSON.stringify({ timestamp, schemaVersion });

export function parsePlace(text: string | null): ReplicaPlace | undefined {
  const place: unknown = text === null ? undefined : JSON.parse(text);
  return isObject(place) && typeof place.timestamp === 'string' && typeof place.schemaVersion === 'number'
    ? { timestamp: place.timestamp, schemaVersion: place.schemaVersion }
    : undefined;
}

/** The vendor's bookkeeping is what both clients share; our own words count while they name the same microsecond. */
export function sharedPlace(own: ReplicaPlace | undefined, sync: SyncRow | undefined): ReplicaPlace | undefined {
  if (!sync) return own;
  if (own && isSameMicro(canonical(own.timestamp), sync.timestamp)) return own;
  return { timestamp: sync.timestamp, schemaVersion: sync.schemaVersion };
}

/** The instant as a canonical timestamp in UTC. */
export const canonical = (timestamp: string): string => parseTimestamp(timestamp)?.text ?? timestamp;
