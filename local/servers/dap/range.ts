import { formatInstant } from './instants.ts';
import type { Query } from './query.ts';
import type { Errors, Reply } from './replies.ts';
import type { Range, TableStore } from './table-store.ts';

/** The documents disagree on which bound belongs to the range; who applies changes twice without harm need not care. */
export type Boundary = '[since, until)' | '(since, until]';

/**
 * The commit times that an incremental query covers, or why it may not. Without `until` it reaches up to the newest commit and
 * includes it under either reading, since a snapshot of that moment would.
 */
export function rangeOf(
  query: Query,
  table: TableStore,
  boundary: Boundary,
  errors: Errors,
): Range | { readonly refused: Reply } | undefined {
  const { since, until } = query;
  if (since === undefined) return undefined;
  const { earliest, watermark } = table;
  if (since < earliest) {
    if (table.wasReloaded) return { refused: errors.snapshotRequired(earliest, watermark) };
    const message = `The value of since (${formatInstant(since)}) is before the earliest data available: ${formatInstant(earliest)}.`;
    return { refused: errors.outOfRange(message, earliest, watermark) };
  }
  const beyond = since > watermark ? 'since' : until !== undefined && until > watermark ? 'until' : undefined;
  if (beyond) {
    const value = formatInstant(beyond === 'since' ? since : until!);
    const message = `The value of ${beyond} (${value}) is after the latest data available: ${formatInstant(watermark)}.`;
    return { refused: errors.outOfRange(message, earliest, watermark) };
  }
  const isPerSeed = boundary === '[since, until)';
  return {
    from: since,
    includesFrom: isPerSeed,
    to: until ?? watermark,
    includesTo: until === undefined || !isPerSeed,
  };
}
