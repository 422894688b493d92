import { describe, expect, it } from 'vitest';
import {
  InvalidMessageError,
  parseFinishRefresh,
  parseListObjects,
  parseReadBytes,
  parseStartRefresh,
  parseSweep,
} from '../../../shared/queue/messages.ts';

const LIST = {
  pipeline: 'p',
  run: 7,
  node: 'n1',
  place: { node: 'root', layout: '0', shard: 0, plan: '00000007.00000001', childChanged: 6 },
  key: 'node.folder#x',
  metadataId: 'abc',
  continues: 'staging/p/1',
};
const READ = {
  pipeline: 'p',
  run: 7,
  node: 'n1',
  layout: '0',
  shard: 3,
  plan: '00000007.00000001',
  group: 0,
  partitions: ['leaf#a'],
};
const START = { pipeline: 'p', trigger: 'schedule', force: ['a/b'], confirmRemoval: true };

describe.each<[string, (body: unknown) => unknown, Record<string, unknown>, string[]]>([
  ['list-objects', parseListObjects, LIST, ['pipeline', 'run', 'node']],
  ['read-bytes', parseReadBytes, READ, Object.keys(READ)],
  ['finish-refresh', parseFinishRefresh, { pipeline: 'p', run: 7 }, ['pipeline', 'run']],
  ['start-refresh', parseStartRefresh, START, ['pipeline']],
  ['sweep', parseSweep, { pipeline: 'p' }, []],
])('a %s message', (kind, parse, whole, required) => {
  it('is taken as it is, and what is not ours is left out', () => {
    expect(parse(whole)).toEqual(whole);
    expect(parse({ ...whole, detail: {}, 'detail-type': 'Scheduled Event' })).toEqual(whole);
  });

  it.each(required.map((name) => [name]))('without %s is refused by that name', (name) => {
    const { [name]: _, ...rest } = whole;

    expect(() => parse(rest)).toThrow(InvalidMessageError);
    expect(() => parse(rest)).toThrow(`not a ${kind} message: ${name} must be`);
  });

  it.each([['a text'], [7], [[]], [null]])('that is %j is refused', (body) => {
    if (kind === 'sweep' && body === null) return;
    expect(() => parse(body)).toThrow('must be a JSON object');
  });
});

describe('a member that is wrong', () => {
  it.each<[string, (body: unknown) => unknown, object, string]>([
    ['a number as text', parseListObjects, { ...LIST, run: '7' }, 'run must be a whole number from 0, got "7"'],
    ['a negative number', parseReadBytes, { ...READ, shard: -1 }, 'shard must be a whole number from 0, got -1'],
    ['a fraction', parseReadBytes, { ...READ, group: 1.5 }, 'group must be a whole number from 0, got 1.5'],
    ['an empty text', parseListObjects, { ...LIST, node: '' }, 'node must be a text of 1 to 4096 characters, got ""'],
    ['a text without end', parseListObjects, { ...LIST, node: 'x'.repeat(4097) }, 'node must be a text'],
    ['an empty list', parseReadBytes, { ...READ, partitions: [] }, 'partitions must be a list of at least one text'],
    ['a list of something else', parseReadBytes, { ...READ, partitions: ['a', 7] }, 'partitions must be a list'],
    ['a member inside', parseListObjects, { ...LIST, place: { ...LIST.place, plan: 7 } }, 'place.plan must be'],
    ['something else inside', parseListObjects, { ...LIST, place: 'root' }, 'place must be a JSON object'],
    ['an unknown trigger', parseStartRefresh, { ...START, trigger: 'boss' }, 'trigger must be one of schedule, manual'],
    ['a force that is no list', parseStartRefresh, { ...START, force: 'a' }, 'force must be'],
    ['a flag as text', parseStartRefresh, { ...START, confirmRemoval: 'yes' }, 'confirmRemoval must be true or false'],
    ['several at a time', parseReadBytes, { ...READ, run: null, plan: null }, 'plan must be'],
  ])('%s is named with what was got', (_what, parse, body, complaint) => {
    expect(() => parse(body)).toThrow(complaint);
  });

  it('is shown in short', () => {
    const message = (() => {
      try {
        parseListObjects({ ...LIST, run: 'x'.repeat(10_000) });
      } catch (error) {
        return (error as Error).message;
      }
      return '';
    })();

    expect(message.length).toBeLessThan(200);
  });
});

describe('defaults', () => {
  it('a start by hand is manual', () => {
    expect(parseStartRefresh({ pipeline: 'p' })).toEqual({ pipeline: 'p', trigger: 'manual' });
  });

  it('a sweep without a pipeline is of all', () => {
    expect(parseSweep(undefined)).toEqual({});
    expect(parseSweep({})).toEqual({});
  });

  it('everything may be forced', () => {
    expect(parseStartRefresh({ pipeline: 'p', force: 'all' })).toMatchObject({ force: 'all' });
  });
});
