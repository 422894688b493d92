import { describe, expect, it } from 'vitest';
import { BOUNDS, broken, grownBy, type Sample } from '../../bench/load/evaluate.ts';

const WELL: Sample = {
  seconds: 0,
  rssMib: 300,
  descriptors: 50,
  handles: 30,
  databaseMib: 20,
  heldMib: 4,
  lastingItems: 2000,
  overdueSeconds: 30,
  waitSeconds: { 'read-bytes': 3, 'list-objects': 0 },
  deadLetters: 0,
  runs: { files: 0, feed: 0 },
  failedRuns: 0,
  partitions: 0,
  mib: 0,
};

/** Twenty samples, a minute apart; `change` says what is other than well. */
const samples = (change: (minute: number) => Partial<Sample> = () => ({})): Sample[] =>
  Array.from({ length: 20 }, (_, minute) => ({
    ...WELL,
    seconds: (minute + 1) * 60,
    runs: { files: minute + 1, feed: 2 * minute + 2 },
    ...change(minute),
  }));

describe('the bounds of a load', () => {
  it('hold for a worker that is well, though it goes up and down', () => {
    const swinging = samples((minute) => ({
      rssMib: 300 + (minute % 3) * 40,
      handles: minute % 2 === 0 ? 20 : 400,
      lastingItems: 2000 + (minute % 4) * 300,
    }));

    expect(broken(samples())).toEqual([]);
    expect(broken(swinging)).toEqual([]);
  });

  it('hold for what only grows while it warms up', () => {
    expect(broken(samples((minute) => ({ rssMib: 300 + Math.min(minute, 10) * 50 })))).toEqual([]);
  });

  it.each<[string, (minute: number) => Partial<Sample>, RegExp]>([
    [
      'memory that is not given back',
      (m) => ({ rssMib: 300 + m * 5 }),
      /^rssMib grew by 45 in the second half, and may/,
    ],
    ['files that stay open', (m) => ({ descriptors: 50 + 2 * m }), /^descriptors grew by 18/],
    ['timers that stay', (m) => ({ handles: 30 + 2 * m }), /^handles grew by 18/],
    ['items that nobody deletes', (m) => ({ lastingItems: 2000 + 50 * m }), /^lastingItems grew by 450/],
    [
      'a file that is larger than what is in it',
      (m) => ({ databaseMib: 4 * m }),
      /^the database has 48 MiB after 780 s/,
    ],
    ['items that stay when they have expired', () => ({ overdueSeconds: 151 }), /^an item was still there 151 s/],
    [
      'a message that waits',
      (m) => (m === 3 ? { waitSeconds: { 'poll-job': 121 } } : {}),
      /^a message of poll-job waited/,
    ],
    ['dead letters', (m) => ({ deadLetters: m }), /^there are 19 dead letters$/],
    ['runs that fail', (m) => ({ failedRuns: m }), /^19 runs did not succeed$/],
    ['a pipeline that stands still', (m) => ({ runs: { feed: Math.min(m, 9) } }), /^feed ended no run for 600 s/],
  ])('are broken by %s', (_what, change, complaint) => {
    expect(broken(samples(change))).toEqual([expect.stringMatching(complaint)]);
  });

  it('say nothing of a load that was too short', () => {
    expect(broken(samples().slice(0, 3))).toEqual([expect.stringContaining('too few')]);
  });

  it('measure growth along a line, from the first sample to the last', () => {
    const rising = samples((minute) => ({ rssMib: 100 + 3 * minute }));

    expect(grownBy(rising, ({ rssMib }) => rssMib)).toBeCloseTo(57);
    expect(BOUNDS.standstillSeconds).toBeGreaterThan(BOUNDS.waitSeconds);
  });
});
