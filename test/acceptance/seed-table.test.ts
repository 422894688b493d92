import { describe, expect, it } from 'vitest';
import { code } from '../../shared/connectors/code/code.ts';
import { definePipeline } from '../../shared/pipelines/define.ts';
import { newWorld, PIPELINE, type World } from '../support/world.ts';

/** A pipeline of the user's own functions in place of the scripted source. */
function withCode(world: World, options: Parameters<typeof code>[0]): World {
  world.pipeline = definePipeline({ name: PIPELINE, source: code(options), credentials: { secret: 'a/secret' } });
  return world;
}

describe('seed 000, row by row', () => {
  it('context(credentials): gets the credential as one string, and builds what the others get', async () => {
    const contexts: unknown[] = [];
    const world = withCode(newWorld({ credential: '{"user":"ada"}' }), {
      context: (credentials) => ({ session: JSON.parse(credentials).user }),
      listObjects: (context) => {
        contexts.push(context);
        return [{ name: 'a', fingerprint: '1', isPrefix: false }];
      },
      readBytes: (context) => {
        contexts.push(context);
        return ['x'];
      },
    });

    await world.refresh();

    expect(contexts).toEqual([{ session: 'ada' }, { session: 'ada' }]);
  });

  it('context: once per process, and again after 50 minutes', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1');
    await world.refresh();
    await world.refresh();
    expect(world.source.credentials).toHaveLength(1);
    world.time.advance(51 * 60_000);

    await world.refresh();

    expect(world.source.credentials).toHaveLength(2);
  });

  it('list_objects(context, metadata): null at the root, the prefix own dictionary below', async () => {
    const world = newWorld();
    world.source.folder('x', { extra: [1] }).leaf('x/a', 'v1');

    await world.refresh();

    expect(world.source.listedWith).toEqual([null, expect.objectContaining({ name: 'x', extra: [1], isPrefix: true })]);
  });

  it('list_objects: runs on every refresh', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1');
    for (let refresh = 0; refresh < 3; refresh++) {
      await world.refresh();
      expect(world.source.lists).toEqual(['']);
    }
  });

  it('name, fingerprint, is_prefix in the spelling of Python are accepted, and handed back as they were', async () => {
    const seen: unknown[] = [];
    const world = withCode(newWorld(), {
      context: () => null,
      *list_objects(_context, metadata) {
        seen.push(metadata);
        if (metadata === null) yield { name: '2024', fingerprint: '', is_prefix: true, month: '01' };
        else yield { name: 'a', fingerprint: 'f', is_prefix: false, last_modified: '2024-01-01', row: 7 };
      },
      *read_bytes(_context, metadata) {
        seen.push(metadata);
        yield `${metadata.name},${metadata.row}\n`;
      },
    });

    const run = await world.refresh();

    expect(seen).toEqual([
      null,
      { name: '2024', fingerprint: '', is_prefix: true, month: '01' },
      { name: 'a', fingerprint: 'f', is_prefix: false, last_modified: '2024-01-01', row: 7 },
    ]);
    expect(run.ran?.landed).toEqual({ NEW: 1 });
    expect((await world.contents()).get('2024/a')).toBe('a,7\n');
  });

  it('processed are those not in the previous refresh, or there with another fingerprint', async () => {
    const world = newWorld();
    world.source.leaf('same', 'v1').leaf('changed', 'v1');
    await world.refresh();
    world.source.leaf('changed', 'v2').leaf('new', 'v1');

    await world.refresh();

    expect(world.source.reads.toSorted()).toEqual(['changed', 'new']);
  });

  it('read_bytes: ten listed and due are ten calls, and not called again', async () => {
    const world = newWorld();
    for (let at = 0; at < 10; at++) world.source.leaf(`${at}`, 'v1');
    await world.refresh();
    expect(world.source.reads.toSorted()).toEqual([...'0123456789']);

    await world.refresh();

    expect(world.source.reads).toEqual([]);
  });

  it('an uncaught exception puts the entire connector into error', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1').leaf('b', 'v1').onReading = ({ path }) => {
      if (path === 'a') throw new Error('uncaught');
    };

    expect(await world.refresh()).toMatchObject({ state: 'FAILED', error: { message: 'uncaught' } });
    expect(await world.latest()).toBeUndefined();
  });

  it('nothing is inserted between chunks: the code must emit the newline itself', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1', { bytes: ['1,2', '3,4\n', '5'] });

    await world.refresh();

    expect((await world.contents()).get('a')).toBe('1,23,4\n5');
  });

  it('a partition that is not listed again loses its metadata', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1').leaf('b', 'v1');
    await world.refresh();
    world.source.remove('a');

    await world.refresh();

    expect([...(await world.items()).keys()]).toEqual(['b']);
  });

  it('the spreadsheet: one leaf, whose fingerprint is its time of change, and rows as lines', async () => {
    let modified = '2026-01-01';
    let reads = 0;
    const world = withCode(newWorld({ credential: '{"client_email":"x@y"}' }), {
      context: (credentials) => JSON.parse(credentials),
      listObjects: () => [{ name: 'sheet-1', fingerprint: modified, isPrefix: false }],
      *readBytes() {
        reads += 1;
        yield 'a,b\n';
        yield `1,${modified}\n`;
      },
      version: '1',
    });

    const first = await world.refresh();
    const second = await world.refresh();
    modified = '2026-01-02';
    const third = await world.refresh();

    expect([first, second, third].map(({ ran }) => ran?.landed)).toEqual([{ NEW: 1 }, {}, { CHANGED: 1 }]);
    expect(reads).toBe(2);
    expect((await world.contents()).get('sheet-1')).toBe('a,b\n1,2026-01-02\n');
  });

  it('a context that takes long is warned of', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1').onContext = () => {
      world.time.advance(31_000);
      return {};
    };

    await world.refresh();

    expect(world.logLines.join('\n')).toContain('took long');
  });
});
