import { describe, expect, it } from 'vitest';
import { QUEUE_NAMES } from '../../shared/queue/queue.ts';
import { Workplace } from '../support/terminal.ts';

describe('landfall plan', () => {
  it('says what would be read or removed and why, and reads nothing', async () => {
    const place = new Workplace();
    place.files('data', { 'a.csv': 'a', 'b.csv': 'bb', 'c.csv': 'ccc' });
    await place.landfall('run data');
    place.write('data', 'a.csv', 'changed');
    place.write('data', 'sub/d.csv', 'dddd');
    place.remove('data', 'b.csv');

    const { code, json } = await place.landfall('plan data --json');
    const again = await place.landfall('run data --dry-run');
    const runs = await place.landfall('runs data --json');

    expect(code).toBe(0);
    const lines = json();
    expect(lines.filter(({ type }) => type === 'change')).toEqual(
      expect.arrayContaining([
        {
          type: 'change',
          pipeline: 'data',
          reason: 'CHANGED',
          kind: 'leaf',
          path: ['a.csv'],
          pathText: 'a.csv',
          bytes: 7,
        },
        {
          type: 'change',
          pipeline: 'data',
          reason: 'REMOVED',
          kind: 'leaf',
          path: ['b.csv'],
          pathText: 'b.csv',
          bytes: 2,
        },
        {
          type: 'change',
          pipeline: 'data',
          reason: 'NEW',
          kind: 'leaf',
          path: ['sub', 'd.csv'],
          pathText: 'sub/d.csv',
          bytes: 4,
        },
      ]),
    );
    expect(lines.at(-1)).toEqual({
      type: 'summary',
      pipeline: 'data',
      reasons: { CHANGED: 1, REMOVED: 1, NEW: 1, UNCHANGED: 1 },
      bytes: 11,
    });
    expect(again.out).toContain('data: ');
    expect(again.out).toContain('1 UNCHANGED; at least 11 B to read');
    expect(runs.json()).toHaveLength(1);
  });

  it('counts all and shows as many as --limit says', async () => {
    const place = new Workplace();
    place.files('data', { a: 'a', b: 'b', c: 'c' });

    const { out } = await place.landfall('plan --all --limit 1');

    expect(out).toMatch(/^NEW .*\n… and 2 more\ndata: 3 NEW, 0 UNCHANGED; at least 3 B to read\n$/);
  });
});

describe('landfall status', () => {
  it('shows pipelines, what is published, queues, and files that define none', async () => {
    const place = new Workplace();
    place.files('data', { a: 'a' }, `schedule: 'rate(1 hour)', description: 'Some data.'`);
    place.file('broken.mjs', 'export default 1;');
    const before = await place.landfall('status --json');
    await place.landfall('run data');

    const { code, json } = await place.landfall('status --json');
    const shown = await place.landfall('status');

    expect(before.json()).toMatchObject([{ pipelines: [{ pipeline: 'data', state: 'idle', pending: false }] }]);
    expect(code).toBe(0);
    expect(json()).toEqual([
      {
        pipelines: [
          {
            pipeline: 'data',
            description: 'Some data.',
            schedule: 'rate(1 hour)',
            state: 'idle',
            pending: false,
            lastRun: expect.objectContaining({ run: 1, state: 'SUCCEEDED' }),
            published: {
              run: 1,
              at: expect.any(String),
              partitions: 1,
              bytes: 1,
              location: place.path('home', 'objects', 'data', 'latest.json'),
            },
          },
        ],
        queues: Object.fromEntries(
          QUEUE_NAMES.map((queue) => [queue, { visible: 0, inFlight: 0, delayed: 0, dead: 0 }]),
        ),
        invalid: [expect.stringContaining('broken.mjs does not define a pipeline')],
      },
    ]);
    expect(shown.out).toMatch(/data +idle +1 +SUCCEEDED .* rate\(1 hour\)/);
    expect(shown.out).toContain('INVALID: ');
  });
});

describe('landfall runs', () => {
  it('lists the newest first, as many as --limit says', async () => {
    const place = new Workplace();
    place.files('data', { a: 'a' });
    for (let run = 0; run < 3; run++) await place.landfall('run data');

    const all = await place.landfall('runs data --json');
    const some = await place.landfall('runs data --limit 2');

    expect(all.json().map(({ run }) => run)).toEqual([3, 2, 1]);
    expect(some.out.trimEnd().split('\n')).toHaveLength(3);
  });
});

describe('landfall partitions', () => {
  it('filters by state and by a pattern of the name or the path', async () => {
    const place = new Workplace();
    place.files('data', { 'a.csv': 'a', 'b.json': 'b', 'sub/c.csv': 'c', 'sub/d.json': 'd' });
    await place.landfall('run data');

    const paths = async (options: string) =>
      (await place.landfall(`partitions data --json ${options}`.trim())).out
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line).pathText)
        .sort();

    expect(await paths('')).toEqual(['a.csv', 'b.json', 'sub/c.csv', 'sub/d.json']);
    expect(await paths('--name *.csv')).toEqual(['a.csv', 'sub/c.csv']);
    expect(await paths('--name sub/*')).toEqual(['sub/c.csv', 'sub/d.json']);
    expect(await paths('--state FAILED')).toEqual([]);
    expect(await paths('--limit 2')).toHaveLength(2);
  });

  it('prints what a partition landed as', async () => {
    const place = new Workplace();
    place.files('data', { 'a.csv': 'a' });
    await place.landfall('run data');

    const { json } = await place.landfall('partitions data --json');

    expect(json()).toEqual([
      {
        pipeline: 'data',
        path: ['a.csv'],
        pathText: 'a.csv',
        kind: 'leaf',
        state: 'LANDED',
        fingerprint: expect.any(String),
        bytes: 1,
        run: 1,
        reason: 'NEW',
        landedAt: expect.stringMatching(/Z$/),
        objects: [{ key: expect.stringMatching(/^data\/data\//), bytes: 1 }],
      },
    ]);
  });

  it('shows names without letting them command the terminal', async () => {
    const place = new Workplace();
    place.files('data', { 'bad\u001b[31m\u202ename': 'a' });
    await place.landfall('run data');

    const { out } = await place.landfall('partitions data', { isTerminal: true });

    expect(out).toContain('bad\\u001b[31m\\u202ename');
    expect(out).not.toContain('\u001b');
  });
});

describe('landfall preview', () => {
  it('prints the first bytes as they are, and lands nothing', async () => {
    const place = new Workplace();
    const binary = Buffer.from([0, 255, 10, 13, 200]);
    place.files('data', { 'a.csv': 'id,name\n1,ä\n', 'b.bin': binary });

    const text = await place.landfall('preview data a.csv --bytes 4');
    const raw = await place.landfall('preview data b.bin');
    const partitions = await place.landfall('partitions data --json');

    expect(text.out).toBe('id,n');
    expect(raw.bytes).toEqual(binary);
    expect(partitions.out).toBe('');
  });

  it('shows a terminal text, or hexadecimal', async () => {
    const place = new Workplace();
    place.files('data', { 'a.csv': 'id,ä\n', 'b.bin': Buffer.from([0, 27, 65]) });

    const cut = await place.landfall('preview data a.csv --bytes 4', { isTerminal: true });
    const binary = await place.landfall('preview data b.bin', { isTerminal: true });

    expect(cut.out).toBe('id,\n');
    expect(cut.err).toContain('the first 4 bytes');
    expect(binary.out).toBe('00000000  00 1b 41                                         |..A|\n');
  });

  it('prints JSON with text or base64', async () => {
    const place = new Workplace();
    place.files('data', { 'a.csv': 'a', 'b.bin': Buffer.from([0, 255]) });

    const text = await place.landfall('preview data a.csv --json');
    const binary = await place.landfall('preview data b.bin --json --bytes 1');

    expect(text.json()).toEqual([{ pipeline: 'data', path: 'a.csv', bytes: 1, more: false, text: 'a' }]);
    expect(binary.json()).toEqual([{ pipeline: 'data', path: 'b.bin', bytes: 1, more: true, base64: 'AA==' }]);
  });

  it('fails for a partition that is not listed', async () => {
    const place = new Workplace();
    place.files('data', { a: 'a' });

    const { code, err } = await place.landfall('preview data b --json');

    expect(code).toBe(1);
    expect(JSON.parse(err)).toMatchObject({ error: { code: 'PartitionNotFound' } });
  });
});

describe('landfall manifest', () => {
  it('prints latest.json, or the partitions it names', async () => {
    const place = new Workplace();
    place.files('data', { a: 'a', 'sub/b': 'bb' });
    const before = await place.landfall('manifest data');
    await place.landfall('run data');

    const latest = await place.landfall('manifest data --json');
    const partitions = await place.landfall('manifest data --partitions --json');

    expect(before.code).toBe(1);
    expect(before.err).toBe('landfall: nothing of data has been published yet\n');
    expect(latest.json()).toMatchObject([{ version: 1, pipeline: 'data', run: 1, totals: { partitions: 2 } }]);
    expect(partitions.json()).toMatchObject([
      { pathText: 'a', bytes: 1, run: 1, reason: 'NEW', objects: [{ bytes: 1, location: expect.any(String) }] },
      { pathText: 'sub/b', bytes: 2 },
    ]);
  });
});

describe('landfall connection test', () => {
  it('names the first children of the root', async () => {
    const place = new Workplace();
    place.files('data', { a: 'a', 'sub/b': 'bb' });

    const { code, json } = await place.landfall('connection test data --json');
    const shown = await place.landfall('connection test data');

    expect(code).toBe(0);
    expect(json()).toEqual([
      {
        pipeline: 'data',
        source: 'files',
        contextMs: expect.any(Number),
        listMs: expect.any(Number),
        children: expect.arrayContaining([
          { name: 'a', kind: 'leaf' },
          { name: 'sub', kind: 'folder' },
        ]),
        more: false,
      },
    ]);
    expect(shown.out).toMatch(/^data answers \(files;/);
  });

  it('tells of a missing credential, and never of one it has', async () => {
    const place = new Workplace();
    place.pipeline(
      'locked',
      `code({ version: '1', context: (credential) => { throw new Error('refused ' + credential); }, listObjects: () => [], readBytes: () => [] })`,
      `credentials: secret('door')`,
    );

    const missing = await place.landfall('connection test locked');
    const refused = await place.landfall('connection test locked', { env: { LANDFALL_SECRET_DOOR: 'canary-4711' } });

    expect(missing.code).toBe(1);
    expect(missing.err).toContain('LANDFALL_SECRET_DOOR');
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('refused [redacted]');
    expect(refused.out + refused.err).not.toContain('canary');
  });
});
