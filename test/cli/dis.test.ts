import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type DisServer, startDisServer } from '../../local/servers/dis/server.ts';
import { type Seat, Workplace } from '../support/terminal.ts';

/** The local server, and the command beside it with its address and credentials in the environment. */
async function world() {
  const server = await startDisServer({ scalingLimits: { down: 10 } });
  const place = new Workplace();
  const env = accessTo(server);
  const dis = (words: string, seat: Seat = {}) => place.landfall(`dis ${words}`, { env, ...seat });
  return {
    server,
    place,
    dis,
    /** As {@link dis}, and it must succeed. */
    ok: async (words: string, seat: Seat = {}) => {
      const result = await dis(words, seat);
      expect({ words, code: result.code, err: result.code === 0 ? '' : result.err }).toEqual({
        words,
        code: 0,
        err: '',
      });
      return result;
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

const accessTo = ({ url, region, credentials }: DisServer) => ({
  DIS_ENDPOINT: url,
  DIS_REGION: region,
  DIS_PROJECT_ID: credentials.projectId,
  DIS_ACCESS_KEY: credentials.accessKey,
  DIS_SECRET_KEY: credentials.secretKey,
});

describe('landfall dis stream', () => {
  it('makes, lists, shows, scales and deletes a stream', async () => {
    await using at = await world();

    const made = await at.ok('stream create events --partitions 2 --hours 48 --tag team=data');
    const list = await at.ok('streams');
    const shown = await at.ok('stream describe events');
    await at.ok('stream scale events 3');
    const scaled = await at.ok('stream describe events --json');
    const deleted = await at.ok('stream delete events --yes');

    expect(made.out).toBe('events is made, with 2 partitions.\n');
    expect(list.out.split('\n')[1]).toMatch(/^events +RUNNING +COMMON +BLOB +2 +48 +20\d\d-/);
    expect(shown.out).toMatch(/^retentionPeriod +48$/m);
    expect(shown.out).toMatch(/^shardId-0000000001 +ACTIVE +0 +0 +\[4611686018427387903 : 9223372036854775807\]$/m);
    expect(scaled.json()[0]).toMatchObject({ name: 'events', writablePartitionCount: 3 });
    expect(deleted.out).toBe('events is deleted.\n');
    expect((await at.ok('streams')).out).toBe('There is no stream.\n');
  });

  it('is deleted with --yes only', async () => {
    await using at = await world();
    await at.ok('stream create events');

    const { code, err } = await at.dis('stream delete events');

    expect({ code, err }).toEqual({ code: 2, err: 'landfall: events would go with its records; if so, say --yes\n' });
    expect((await at.ok('streams --json')).json()).toHaveLength(1);
    expect((await at.ok('stream delete nothing --yes --ignore-missing')).code).toBe(0);
  });

  it('tells what the service refuses, and what it was never sent', async () => {
    await using at = await world();

    const missing = await at.dis('stream describe nothing --json');
    const wrong = await at.dis('stream create no/name');

    expect(missing.code).toBe(1);
    expect(JSON.parse(missing.err)).toMatchObject({ error: { code: 'DisNotFound' } });
    expect(wrong.code).toBe(2);
    expect(wrong.err).toContain('the stream name must be 1 to 64 of');
  });

  it('needs credentials, opens neither backend nor pipelines, and shows no secret', async () => {
    await using at = await world();
    at.place.file('broken.mjs', 'throw new Error("loaded");');
    const { DIS_ENDPOINT, DIS_PROJECT_ID } = accessTo(at.server);

    const none = await at.place.landfall('dis streams', { env: { DIS_ENDPOINT, DIS_PROJECT_ID } });
    const wrong = await at.dis('streams --secret-key not-the-secret-key');

    expect(none.code).toBe(2);
    expect(none.err).toContain('there are no credentials');
    expect(wrong.code).toBe(1);
    expect(wrong.err + wrong.out).not.toContain('not-the-secret-key');
    expect(existsSync(at.place.path('home', 'objects'))).toBe(false);
  });
});

describe('landfall dis upload and download', () => {
  it('uploads the lines of a file, and prints them again', async () => {
    await using at = await world();
    await at.ok('stream create events');
    writeFileSync(at.place.path('lines.txt'), 'header\none\n\ntwo\r\nthree');

    const up = await at.ok(`upload events ${at.place.path('lines.txt')} --skip 1 --ordered --key k`);
    const down = await at.ok('download events');
    const part = await at.ok('download events --from 1 --limit 1 --json');
    const raw = await at.ok('download events --as length-prefixed --partition 0');

    expect(up.out).toMatch(/^3 records stored in \d+\.\d s\n$/);
    expect({ out: down.out, err: down.err }).toEqual({ out: 'one\ntwo\nthree\n', err: '3 records\n' });
    expect(part.json()).toEqual([
      { sequenceNumber: '1', partitionKey: 'k', timestamp: expect.any(Number), data: 'two' },
    ]);
    expect([...raw.bytes.subarray(0, 7)]).toEqual([0, 0, 0, 3, ...Buffer.from('one')]);
  });

  it('uploads a CSV file by its columns', async () => {
    await using at = await world();
    await at.ok('stream create events --partitions 2');
    writeFileSync(at.place.path('records.csv'), 'data,partition_id\naGk=,1\neW8=,0\n');

    const up = await at.ok(`upload events ${at.place.path('records.csv')} --as csv --base64 --json`);

    expect(up.json()).toEqual([{ stream: 'events', stored: 2, failed: 0 }]);
    expect((await at.ok('download events')).out).toBe('yo\nhi\n');
    expect((await at.ok('download events --partition 1')).out).toBe('hi\n');
  });

  it('tells of records that failed, and ends with 1', async () => {
    await using at = await world();
    await at.ok('stream create events');
    writeFileSync(at.place.path('lines.txt'), 'one\ntwo\n');
    at.server.faults.add({ route: 'uploadData', fault: 'failed-records', code: 'DIS.4200', records: [1] });

    const { code, out, err } = await at.dis(`upload events ${at.place.path('lines.txt')}`);

    expect(code).toBe(1);
    expect(out).toMatch(/^1 records stored in .*; 1 failed\n$/);
    expect(err).toContain('record 1: DIS.4200');
  });

  it('reads from a time, from behind the end, and of a partition that is not there', async () => {
    await using at = await world();
    await at.ok('stream create events');
    writeFileSync(at.place.path('lines.txt'), 'one\n');
    await at.ok(`upload events ${at.place.path('lines.txt')}`);

    expect((await at.ok('download events --from 2999-01-01T00:00:00Z')).out).toBe('');
    expect((await at.ok('download events --from 7')).out).toBe('');
    expect((await at.ok('download events --from latest')).out).toBe('');
    expect((await at.dis('download events --partition 3')).err).toContain('no partition 3 that can be read');
    expect((await at.dis('download events --from whenever')).code).toBe(2);
  });

  it('follows a partition until Ctrl-C', async () => {
    await using at = await world();
    await at.ok('stream create events');
    let press = () => {};
    let seen = '';
    const following = at.dis('download events --follow', {
      whenListening: (pressing) => {
        press = pressing;
      },
      onOut: (text) => {
        seen += text;
        press();
      },
    });
    await wait(50);
    writeFileSync(at.place.path('lines.txt'), 'late\n');
    await at.ok(`upload events ${at.place.path('lines.txt')}`);

    const { code, err } = await following;

    expect(code).toBe(0);
    expect(seen).toBe('late\n');
    expect(err).toContain('1 records');
  });

  it('prints a cursor', async () => {
    await using at = await world();
    await at.ok('stream create events');

    expect((await at.ok('cursor events 0')).out).toMatch(/^[\w-]{20,512}\n$/);
    expect((await at.ok('cursor events 0 --from latest --json')).json()[0]).toHaveProperty('partitionCursor');
  });
});

describe('landfall dis apps and checkpoints', () => {
  it('makes and lists apps, and shows how far they are', async () => {
    await using at = await world();
    await at.ok('stream create events --partitions 2');
    writeFileSync(at.place.path('lines.txt'), 'one\ntwo\nthree\n');
    await at.ok(`upload events ${at.place.path('lines.txt')} --partition 1`);
    await at.ok('app create reports');
    await at.ok('checkpoint set events reports 1 0 --metadata note');

    const progress = await at.ok('app progress reports events');
    const get = await at.ok('checkpoint get events reports --json');

    expect(progress.out.split('\n').slice(1, 3)).toEqual([
      expect.stringMatching(/^0 +ACTIVE +0 +0 +0$/),
      expect.stringMatching(/^1 +ACTIVE +0 +0 +3 +2$/),
    ]);
    expect(get.json()).toEqual([
      { partitionId: '0', sequenceNumber: '-1', metadata: '' },
      { partitionId: '1', sequenceNumber: '0', metadata: 'note' },
    ]);
    expect((await at.ok('apps')).out).toMatch(/^reports +20\d\d-.* +events$/m);
    expect((await at.ok('app describe reports --json')).json()[0]).toMatchObject({ name: 'reports' });
  });

  it('releases an app, which keeps its numbers, and deletes checkpoints and apps', async () => {
    await using at = await world();
    await at.ok('stream create events');
    writeFileSync(at.place.path('lines.txt'), 'one\n');
    await at.ok(`upload events ${at.place.path('lines.txt')}`);
    await at.ok('app create reports');
    await at.ok('checkpoint set events reports 0 0 --metadata {"landfall":{}}');

    const released = await at.ok('checkpoint release events reports --json');
    const get = await at.ok('checkpoint get events reports 0 --json');
    await at.ok('checkpoint delete events reports');

    expect(released.json()).toEqual([{ stream: 'events', app: 'reports', released: 1 }]);
    expect(get.json()).toEqual([{ partitionId: '0', sequenceNumber: '0', metadata: '' }]);
    expect((await at.ok('checkpoint get events reports')).out).toMatch(/^0 +none$/m);
    await at.ok('app delete reports');
    expect((await at.ok('apps')).out).toBe('There is no app.\n');
  });
});

describe('landfall dis dump-task', () => {
  it('makes, shows, pauses, starts and deletes a task', async () => {
    await using at = await world();
    await at.ok('stream create events');

    const made = await at.ok(
      'dump-task create events copy --bucket landing --every 60 --folders yyyy/MM --from earliest',
    );
    const list = await at.ok('dump-task list events');
    await at.ok('dump-task pause events copy');
    const paused = await at.ok('dump-task describe events copy');
    await at.ok('dump-task start events copy');
    const running = await at.ok('dump-task describe events copy --json');
    const unknown = await at.dis('dump-task start events other');
    await at.ok('dump-task delete events copy');

    expect(made.out).toBe('copy copies events to landing every 60 s.\n');
    expect(list.out).toMatch(/^copy +RUNNING +OBS /m);
    expect(paused.out).toMatch(/^status +PAUSED$/m);
    expect(running.json()[0]).toMatchObject({
      taskName: 'copy',
      status: 'RUNNING',
      obsDestinationDescription: { deliverTimeInterval: 60, partitionFormat: 'yyyy/MM' },
    });
    expect(unknown).toMatchObject({ code: 1, err: 'landfall: events has no dump task other\n' });
    expect((await at.ok('dump-task list events')).out).toBe('events has no dump task.\n');
  });
});

it('landfall dis --help names its commands', async () => {
  const { out } = await new Workplace().landfall('dis --help');

  for (const word of ['streams', 'stream', 'upload', 'download', 'cursor', 'apps', 'app', 'checkpoint', 'dump-task'])
    expect(out).toMatch(new RegExp(`^ {2}${word} `, 'm'));
  expect(out).toContain('DIS_ENDPOINT');
});
