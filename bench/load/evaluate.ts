/** What was seen of a worker under load at one moment. */
export interface Sample {
  /** Since the load began. */
  readonly seconds: number;
  readonly rssMib: number;
  /** Open file descriptors. */
  readonly descriptors: number;
  /** What keeps the worker's event loop alive: sockets, timers, requests under way. */
  readonly handles: number;
  /** Of the SQLite file with its log. */
  readonly databaseMib: number;
  /** Keys, items and messages that are in it. */
  readonly heldMib: number;
  /** Items without an end, of the pipelines whose source does not grow. */
  readonly lastingItems: number;
  /** For how long the oldest item that has expired is still there. */
  readonly overdueSeconds: number;
  /** By queue: how long the message that waits for longest could have been received. */
  readonly waitSeconds: Readonly<Record<string, number>>;
  readonly deadLetters: number;
  /** By pipeline: runs that have ended. */
  readonly runs: Readonly<Record<string, number>>;
  readonly failedRuns: number;
  /** Landed since the load began. */
  readonly partitions: number;
  readonly mib: number;
}

/** What a load must not break. Growth is that of a line through the second half of the samples. */
export const BOUNDS = {
  /** Of the RSS: so much of its median, and at least so many MiB, since a collector of garbage works in steps. */
  rssGrowth: 0.1,
  rssGrowthMib: 16,
  descriptorGrowth: 16,
  handleGrowth: 16,
  /** The file may hold so many times what is in it, and so many MiB more: its log, and pages to be used again. */
  databaseRatio: 3,
  databaseMib: 32,
  lastingItemGrowth: 0.1,
  overdueSeconds: 150,
  waitSeconds: 120,
  standstillSeconds: 180,
} as const;

/** What the samples break, one sentence each; nothing if all bounds hold. */
export function broken(samples: readonly Sample[]): string[] {
  if (samples.length < 4) return [`${samples.length} samples are too few to say anything: take 4 at least`];
  const later = samples.slice(Math.floor(samples.length / 2));
  return [...growth(later), ...database(samples, later), ...queues(samples), ...progress(samples)];
}

function* growth(later: readonly Sample[]): Generator<string> {
  const rss = later.map(({ rssMib }) => rssMib);
  const limits = {
    rssMib: Math.max(BOUNDS.rssGrowthMib, median(rss) * BOUNDS.rssGrowth),
    descriptors: BOUNDS.descriptorGrowth,
    handles: BOUNDS.handleGrowth,
    lastingItems: Math.max(50, median(later.map(({ lastingItems }) => lastingItems)) * BOUNDS.lastingItemGrowth),
  };
  for (const [name, limit] of Object.entries(limits) as [keyof typeof limits, number][]) {
    const grown = grownBy(later, (sample) => sample[name]);
    if (grown > limit) yield `${name} grew by ${shown(grown)} in the second half, and may by ${shown(limit)}`;
  }
}

function* database(samples: readonly Sample[], later: readonly Sample[]): Generator<string> {
  for (const { databaseMib, heldMib, seconds } of later) {
    const limit = BOUNDS.databaseRatio * heldMib + BOUNDS.databaseMib;
    if (databaseMib > limit)
      return yield `the database has ${shown(databaseMib)} MiB after ${seconds} s, and may have ${shown(limit)} for the ${shown(heldMib)} MiB in it`;
  }
  const overdue = Math.max(...samples.map(({ overdueSeconds }) => overdueSeconds));
  if (overdue > BOUNDS.overdueSeconds)
    yield `an item was still there ${shown(overdue)} s after it had expired, and may be for ${BOUNDS.overdueSeconds}`;
}

function* queues(samples: readonly Sample[]): Generator<string> {
  const longest = new Map<string, number>();
  for (const { waitSeconds } of samples)
    for (const [queue, seconds] of Object.entries(waitSeconds))
      longest.set(queue, Math.max(longest.get(queue) ?? 0, seconds));
  for (const [queue, seconds] of longest)
    if (seconds > BOUNDS.waitSeconds)
      yield `a message of ${queue} waited for ${shown(seconds)} s, and may for ${BOUNDS.waitSeconds}`;
  const { deadLetters } = samples.at(-1)!;
  if (deadLetters > 0) yield `there are ${deadLetters} dead letters`;
}

function* progress(samples: readonly Sample[]): Generator<string> {
  const { failedRuns, runs } = samples.at(-1)!;
  if (failedRuns > 0) yield `${failedRuns} runs did not succeed`;
  for (const pipeline of Object.keys(runs)) {
    const still = longestStandstill(samples, pipeline);
    if (still > BOUNDS.standstillSeconds)
      yield `${pipeline} ended no run for ${shown(still)} s, and may for ${BOUNDS.standstillSeconds}`;
  }
}

function longestStandstill(samples: readonly Sample[], pipeline: string): number {
  let [since, runs, longest] = [0, 0, 0];
  for (const sample of samples) {
    const ended = sample.runs[pipeline] ?? 0;
    longest = Math.max(longest, sample.seconds - since);
    if (ended > runs) [since, runs] = [sample.seconds, ended];
  }
  return longest;
}

/**
 * By how much what is seen rises from the first sample to the last, along a line whose slope is the median of those of all pairs:
 * what swings, or jumps once, does not rise.
 */
export function grownBy(samples: readonly Sample[], value: (sample: Sample) => number): number {
  const slopes: number[] = [];
  for (const [at, one] of samples.entries())
    for (const other of samples.slice(at + 1)) slopes.push((value(other) - value(one)) / (other.seconds - one.seconds));
  return slopes.length === 0 ? 0 : median(slopes) * (samples.at(-1)!.seconds - samples[0]!.seconds);
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
export const shown = (number: number): string => number.toFixed(Math.abs(number) < 10 ? 1 : 0);
