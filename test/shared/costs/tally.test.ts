import { describe, expect, it } from 'vitest';
import { KIB, MIB } from '../../../shared/core/units.ts';
import { readUnits, Tally, unitsOfGrowing, writeUnits } from '../../../shared/costs/tally.ts';

describe('units', () => {
  it.each([
    [0, 1],
    [1, 1],
    [1024, 1],
    [1025, 2],
    [32 * KIB, 32],
  ])('a write of %i bytes takes %i', (bytes, units) => expect(writeUnits(bytes)).toBe(units));

  it.each([
    [0, 1],
    [4096, 1],
    [4097, 2],
    [MIB, 256],
  ])('a consistent read of %i bytes takes %i', (bytes, units) => expect(readUnits(bytes)).toBe(units));

  it.each([
    { updates: 0, first: 500, by: 16 },
    { updates: 1, first: 500, by: 16 },
    { updates: 1000, first: 700, by: 16 },
    { updates: 1000, first: 17_000, by: 16 },
    { updates: 244, first: 1024, by: 4 },
    { updates: 7, first: 1000, by: 3000 },
    { updates: 9, first: 3000, by: 0 },
  ])('of an item that grows with $updates updates by $by bytes are what they add up to', ({ updates, first, by }) => {
    const each = Array.from({ length: updates }, (_, at) => writeUnits(first + at * by));

    expect(unitsOfGrowing(updates, first, by)).toBe(each.reduce((sum, one) => sum + one, 0));
  });
});

const line = (tally: Tally) => {
  const { requests, units, unseenUnits } = tally.lines()[0]!;
  return { requests, units, unseenUnits };
};

describe('a tally', () => {
  it.each<{ what: string; of: (tally: Tally) => void; is: ReturnType<typeof line> }>([
    { what: 'an item', of: (tally) => tally.get('nodes', 3, 5000), is: { requests: 3, units: 6, unseenUnits: 0 } },
    {
      what: 'a batch of items',
      of: (tally) => tally.getMany('nodes', 1, 250, 300),
      is: { requests: 3, units: 250, unseenUnits: 0 },
    },
    {
      what: 'a query of two pages',
      of: (tally) => tally.query('nodes', 1, 1.5 * MIB),
      is: { requests: 2, units: 384, unseenUnits: 0 },
    },
    {
      what: 'an update that makes an item smaller',
      of: (tally) => tally.update('nodes', 2, 900, 3000),
      is: { requests: 2, units: 2, unseenUnits: 4 },
    },
    {
      what: 'a refused update',
      of: (tally) => tally.refused('nodes', 5, 10_000),
      is: { requests: 5, units: 5, unseenUnits: 45 },
    },
    { what: 'a delete', of: (tally) => tally.delete('nodes', 1, 2500), is: { requests: 1, units: 1, unseenUnits: 2 } },
    {
      what: 'an object of several parts',
      of: (tally) => tally.object('put', 2, 20 * MIB, 5),
      is: { requests: 10, units: 0, unseenUnits: 0 },
    },
    {
      what: 'small messages',
      of: (tally) => tally.send('list-objects', 1, 25, 200),
      is: { requests: 3, units: 3, unseenUnits: 0 },
    },
    {
      what: 'large messages',
      of: (tally) => tally.send('read-bytes', 1, 10, 200 * KIB),
      is: { requests: 2, units: 32, unseenUnits: 0 },
    },
  ])('counts $what as the service bills it', ({ of, is }) => {
    const tally = new Tally();

    of(tally);

    expect(line(tally)).toEqual(is);
  });
});
