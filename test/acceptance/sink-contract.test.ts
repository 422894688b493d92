import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../../shared/core/json.ts';
import { hours, minutes } from '../../shared/core/units.ts';
import { settleSink } from '../../shared/operations/sinks.ts';
import {
  type SinkContext,
  type SinkSession,
  SinkStartOverError,
  SinkUndecidedError,
  type StreamSink,
  type UploadPartition,
} from '../../shared/sinks/sink.ts';
import { newWorld, PIPELINE, type World } from '../support/world.ts';

/** A sink whose every call a test decides; what it was asked for, in order. */
function scripted(session: Partial<SinkSession>, sink: Partial<StreamSink> = {}) {
  const contexts: SinkContext[] = [];
  const calls: string[] = [];
  const made: StreamSink = {
    type: 'scripted',
    name: 'scripted',
    guarantee: 'exactly-once',
    atomic: true,
    parallel: 1,
    ...sink,
    open: async (context) => {
      contexts.push(context);
      const note = (call: string) => calls.push(call);
      return {
        begin: async () => void note(`begin ${JSON.stringify(context.kept ?? null)}`),
        commit: async () => {
          note('commit');
          await session.commit?.();
        },
        abort: async () => void note('abort'),
        remove: async ({ path }) => void note(`remove ${path.join('/')}`),
        close: async () => {},
        upload: async (partition) => {
          note(`upload ${partition.path.join('/')}`);
          await session.upload?.(partition);
        },
      };
    },
  };
  const world = newWorld({ sinks: [made] });
  return { world, calls, contexts, record: () => world.deps().sinks.get(PIPELINE, 'scripted') };
}

const refreshed = async (world: World) => {
  await world.refresh();
  await world.drain();
};
const anHourLater = async (world: World) => {
  world.time.advance(hours(1) + minutes(1));
  await world.sweep();
  await world.drain();
};

describe('a sink', () => {
  it('that takes the whole is given all that is shown each time, and no removals', async () => {
    const { world, calls } = scripted({}, { whole: true });
    world.source.leaf('a', '1').leaf('b', '1');
    await refreshed(world);
    calls.length = 0;
    world.source.remove('b').leaf('c', '1');
    await refreshed(world);

    expect(calls).toEqual(['begin null', 'upload a', 'upload c', 'commit']);
  });

  it('whose work is lost begins the transition anew, with nothing kept', async () => {
    const lost = [new SinkStartOverError('the session is gone')];
    const kept: JsonValue = { session: 1 };
    const { world, calls, contexts, record } = scripted({
      upload: async ({ path }) => {
        await contexts.at(-1)!.keep(kept);
        if (path[0] === 'b' && lost.length > 0) throw lost.pop();
      },
    });
    world.source.leaf('a', '1').leaf('b', '1');

    await refreshed(world);

    expect(calls).toEqual([
      'begin null',
      'upload a',
      'upload b',
      'abort',
      'begin null',
      'upload a',
      'upload b',
      'commit',
    ]);
    expect(await record()).toMatchObject({ applied: { run: 1 } });
  });

  it('of which nobody knows whether it has committed keeps all as it is', async () => {
    let isDecided = false;
    const { world, calls, contexts, record } = scripted({
      upload: () => contexts.at(-1)!.keep({ session: 1 }),
      commit: async () => {
        if (!isDecided) throw new SinkUndecidedError('who knows');
      },
    });
    world.source.leaf('a', '1');
    await refreshed(world);
    expect(await record()).toMatchObject({ kept: { session: 1 }, place: 1, error: { code: 'SinkUndecided' } });
    world.source.leaf('b', '1');
    await refreshed(world);
    isDecided = true;
    await anHourLater(world);

    const begun = '{"session":1}';
    expect(calls.slice(0, 3)).toEqual(['begin null', 'upload a', 'commit']);
    // Each time the same transition goes on; only then the next one comes.
    expect(calls.slice(-5)).toEqual([`begin ${begun}`, 'commit', 'begin null', 'upload b', 'commit']);
    expect(calls.filter((call) => call === 'upload a')).toHaveLength(1);
    expect(calls).not.toContain('abort');
  });

  it.each([
    ['in', true, ['begin null', 'upload b', 'commit']],
    ['out', false, ['begin null', 'upload a', 'upload b', 'commit']],
  ])('of which somebody says that it is %s goes on accordingly', async (_what, isIn, expected) => {
    let isDecided = false;
    const { world, calls, contexts, record } = scripted({
      upload: () => contexts.at(-1)!.keep({ session: 1 }),
      commit: async () => {
        if (!isDecided) throw new SinkUndecidedError('who knows');
      },
    });
    const settle = () => settleSink(world.pipeline, world.pipeline.sinks[0]!, isIn, world.deps());
    world.source.leaf('a', '1');
    await expect(settle()).rejects.toThrow('nothing is undecided');
    await refreshed(world);
    world.source.leaf('b', '1');
    await refreshed(world);
    calls.length = 0;
    isDecided = true;

    await settle();
    await world.drain();

    expect(calls).toEqual(expected);
    expect(await record()).toMatchObject({ applied: { run: 2 } });
    await expect(settle()).rejects.toThrow('nothing is undecided');
  });

  it('can ask which changes are in', async () => {
    const seen: boolean[][] = [];
    const { world, contexts } = scripted({
      upload: async () => void seen.push([0, 1, 2].map((order) => contexts[0]!.isDone(order))),
    });
    world.source.leaf('a', '1').leaf('b', '1').leaf('c', '1');

    await refreshed(world);

    expect(seen).toEqual([
      [false, false, false],
      [true, false, false],
      [true, true, false],
    ]);
  });

  it('that stops since another upload has failed has not uploaded', async () => {
    let fails = true;
    const uploaded: string[] = [];
    const upload = async ({ path, signal }: UploadPartition) => {
      if (path[0] === 'a' && fails) {
        fails = false;
        throw Object.assign(new Error('away'), { retryable: true });
      }
      await new Promise((resolve) => setImmediate(resolve));
      if (!signal.aborted) uploaded.push(path[0]!);
    };
    const { world } = scripted({ upload }, { parallel: 2 });
    world.source.leaf('a', '1').leaf('b', '1');

    await refreshed(world);

    expect(uploaded.sort()).toEqual(['a', 'b']);
  });
});
