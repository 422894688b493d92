/** What stands under a node or in a shard. */
export interface Totals {
  /** Landed and shown. */
  readonly partitions: number;
  readonly bytes: number;
  /** Of those that tell how many they have, those set aside included; absent if none does. */
  readonly rows?: number;
  /** Partitions, and listings of nodes, that failed and have not been set right since. */
  readonly failed: number;
  /** Of those, how many show an earlier version, and so are among `partitions`; absent if none does. */
  readonly stale?: number;
}

/** What one run did there: landings by reason code, their bytes, and what dropped out. */
export interface RunTotals {
  readonly run: number;
  readonly landed: Readonly<Record<string, number>>;
  readonly landedBytes: number;
  readonly removed: number;
}

export const NO_TOTALS: Totals = { partitions: 0, bytes: 0, failed: 0 };
export const noneIn = (run: number): RunTotals => ({ run, landed: {}, landedBytes: 0, removed: 0 });

export function addTotals(a: Totals, b: Totals): Totals {
  const stale = (a.stale ?? 0) + (b.stale ?? 0);
  const rows = a.rows === undefined ? b.rows : a.rows + (b.rows ?? 0);
  const sums = { partitions: a.partitions + b.partitions, bytes: a.bytes + b.bytes, failed: a.failed + b.failed };
  return { ...sums, ...(rows === undefined ? {} : { rows }), ...(stale === 0 ? {} : { stale }) };
}

export const sameTotals = (a: Totals, b: Totals): boolean =>
  a.partitions === b.partitions &&
  a.bytes === b.bytes &&
  a.rows === b.rows &&
  a.failed === b.failed &&
  a.stale === b.stale;

/** What another part of the tree did in the same run is added; what it did in an earlier one is not. */
export function addRan(a: RunTotals, b: RunTotals | undefined): RunTotals {
  if (b?.run !== a.run) return a;
  const landed = { ...a.landed };
  for (const [reason, count] of Object.entries(b.landed)) landed[reason] = (landed[reason] ?? 0) + count;
  return { run: a.run, landed, landedBytes: a.landedBytes + b.landedBytes, removed: a.removed + b.removed };
}

export const landedCount = (ran: RunTotals): number => Object.values(ran.landed).reduce((sum, count) => sum + count, 0);
