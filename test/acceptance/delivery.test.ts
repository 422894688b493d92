import { describe, expect, it } from 'vitest';
import { minutes } from '../../shared/core/units.ts';
import { type Fault, isCommit, isLease, isUpload, isWrite, once, type PortCall } from '../support/faults.ts';
import { newWorld, type SentMessage, type World, type WorldOptions } from '../support/world.ts';

function aTree(world: World): World {
  world.source.leaf('a', 'v1').leaf('b', 'v1').leaf('x/c', 'v1').leaf('x/y/d', 'v1').folder('empty');
  return world;
}

/** Reads what was published against the source, and that nothing is left to do. */
async function expectAllLanded(world: World): Promise<void> {
  expect(await world.contents()).toEqual(world.source.contents());
  expect(world.violations).toEqual([]);
  await world.drain();
  const { manifest } = (await world.latest())!;
  world.faults = () => undefined;
  const next = await world.refresh();
  expect(world.source.reads).toEqual([]);
  expect(next).toMatchObject({ state: 'SUCCEEDED', ran: { landed: {}, removed: 0 } });
  expect((await world.latest())!.manifest).toBe(manifest);
}

describe('the queue', () => {
  it.each<[string, (world: World) => (message: SentMessage) => SentMessage[]]>([
    ['delivers every message twice', () => (message) => [message, message]],
    [
      'delivers every message again a quarter of an hour later',
      () => (message) => [message, { ...message, delaySeconds: 900 }],
    ],
    ['delivers late', () => (message) => [{ ...message, delaySeconds: 600 }]],
    ['delivers out of order', (world) => (message) => [{ ...message, delaySeconds: Math.floor(world.random() * 900) }]],
    [
      'delivers three times, out of order',
      (world) => (message) =>
        Array.from({ length: 3 }, () => ({ ...message, delaySeconds: Math.floor(world.random() * 900) })),
    ],
  ])('%s', async (_what, tamper) => {
    const world = aTree(newWorld());
    world.tamper = tamper(world);

    const first = await world.refresh();
    expect(first).toMatchObject({ state: 'SUCCEEDED', ran: { landed: { NEW: 4 } } });
    expect(world.source.reads.toSorted()).toEqual(['a', 'b', 'x/c', 'x/y/d']);
    world.source.leaf('a', 'v2').remove('b').remove('x/y');
    const second = await world.refresh();

    expect(second).toMatchObject({ state: 'SUCCEEDED', ran: { landed: { CHANGED: 1 }, removed: 2 } });
    await expectAllLanded(world);
  });

  it('delivers the same message to two functions at a time', async () => {
    const world = aTree(newWorld());
    await world.start();
    for (let round = 0; round < 50; round++) {
      const taken = await world.receive();
      if (!taken) break;
      const { queue, message } = taken;
      await Promise.all([
        world.invoke(queue, [message]),
        world.invoke(queue, [{ ...message, messageId: `${message.messageId}-again` }]),
      ]);
    }
    await world.work();

    expect(world.source.reads.toSorted()).toEqual(['a', 'b', 'x/c', 'x/y/d']);
    await expectAllLanded(world);
  });

  it.each(['list-objects', 'read-bytes', 'finish-refresh'])('loses every first message to %s', async (queue) => {
    const world = aTree(newWorld());
    const seen = new Set<string>();
    world.tamper = (message) => {
      if (message.queue !== queue || seen.has(message.body)) return [message];
      seen.add(message.body);
      return [];
    };

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { landed: { NEW: 4 } } });
    await expectAllLanded(world);
  });

  it('holds messages that are not ours: they are refused by name and become dead letters', async () => {
    const world = aTree(newWorld());
    await world.queues.send('read-bytes', [{ body: 'not json' }, { body: '{"pipeline":"p"}' }, { body: '[]' }]);

    await world.refresh();
    await world.drain();

    expect((await world.queues.counts('read-bytes')).dead).toBe(3);
    expect(world.logLines.join('\n')).toContain('InvalidMessage');
    await expectAllLanded(world);
  });

  it('brings messages of a run that is over, and of pipelines that are gone: nothing happens', async () => {
    const world = aTree(newWorld());
    const sent: SentMessage[] = [];
    world.tamper = (message) => {
      sent.push(message);
      return [message];
    };
    await world.refresh();
    world.source.leaf('a', 'v2');
    await world.refresh();
    const before = world.objects.keys();
    for (const { queue, body } of sent) await world.queues.send(queue, [{ body }]);

    await world.drain();

    expect(world.objects.keys()).toEqual(before);
    await expectAllLanded(world);
  });
});

describe('a worker that dies', () => {
  it.each<[string, Fault, (call: PortCall) => boolean]>([
    ['after the lease', 'kill after', isLease],
    ['before the upload is whole', 'kill before', isUpload],
    ['after the upload', 'kill after', isUpload],
    ['before the commit', 'kill before', isCommit],
    ['after the commit', 'kill after', isCommit],
  ])('%s', async (_when, fault, matches) => {
    const world = aTree(newWorld());
    world.faults = once(fault, matches);

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { landed: { NEW: 4 } } });
    await expectAllLanded(world);
    world.time.advance(minutes(60 * 49));
    await world.sweep();
    expect(world.objects.keys('p/data/')).toHaveLength(4);
  });

  /** What a run of this tree writes, call by call: each is a place to die at. */
  const scenario = async (options: WorldOptions) => {
    const world = aTree(newWorld({ sizes: { groupPartitions: 1 }, ...options }));
    await world.refresh();
    world.source.leaf('a', 'v2').remove('b').leaf('x/e', 'v1').remove('x/y').leaf('z/f', 'v1');
    return world;
  };

  it.each<Fault>(['kill after', 'fail after', 'fail before'])(
    '%s at any write: the same comes of it',
    async (fault) => {
      const counting = await scenario({});
      let writes = 0;
      counting.faults = (call) => {
        if (call.step !== 'test' && isWrite(call)) writes += 1;
        return undefined;
      };
      await counting.refresh();
      expect(writes).toBeGreaterThan(30);

      for (let at = 1; at <= writes; at++) {
        const world = await scenario({});
        world.faults = once(fault, (call) => call.step !== 'test' && isWrite(call), at);

        const run = await world.refresh();

        expect(run, `at write ${at}`).toMatchObject({
          state: 'SUCCEEDED',
          ran: { landed: { CHANGED: 1, NEW: 2 }, removed: 2 },
        });
        await expectAllLanded(world);
      }
    },
  );

  it('at any write, and the run is cancelled: the next one sets everything right', async () => {
    for (let at = 1; at <= 60; at += 2) {
      const world = await scenario({});
      world.faults = once('kill after', (call) => call.step !== 'test' && isWrite(call), at);
      await world.start();
      for (let messages = 0; messages < at / 3; messages++) await world.step();
      if ((await world.runs.active('p'))?.active !== undefined) await world.cancel();

      const run = await world.refresh();

      expect(run, `at write ${at}`).toMatchObject({ state: 'SUCCEEDED' });
      await expectAllLanded(world);
    }
  });
});

describe('a credential', () => {
  it('is in no log, item, message, manifest, object or error, whatever fails with it', async () => {
    const canary = { token: 'canary-token-1234', nested: { key: 'canary-key\nsecond line of it' } };
    const world = newWorld({
      credential: JSON.stringify(canary),
      credentials: { secret: 'some/secret' },
      failurePolicy: 'partition',
      manifests: ['csv', 'symlink'],
    });
    const leak = `Authorization: ${canary.token} https://host/?token=canary-token-1234 ${canary.nested.key}`;
    world.source.leaf('fails', 'v1').leaf('logs', 'v1').folder('x').leaf('warns', 'v1');
    world.source.onReading = ({ path, run }) => {
      run.log.info(leak, { headers: { authorization: leak } });
      run.log.error('failed', { error: new Error(leak) });
      if (path === 'fails') throw new Error(leak, { cause: new Error(leak) });
    };
    world.source.onListing = ({ path, end }) => {
      if (path === 'x' && end) throw Object.assign(new Error(leak), { name: leak });
    };
    world.source.onAcknowledge = () => {
      throw new Error(leak);
    };

    const run = await world.refresh();

    expect(world.source.credentials).toEqual([JSON.stringify(canary)]);
    expect(run.state).toBe('PARTIAL');
    const everything = world.everything();
    expect(everything).toContain('[redacted]');
    for (const secret of ['canary-token', 'canary-key']) expect(everything).not.toContain(secret);
  });

  it('that context throws is not in the error that it ends the run with', async () => {
    const world = newWorld({ credential: 'canary-1234567', credentials: { secret: 'some/secret' } });
    world.source.leaf('a', 'v1').onContext = (credential) => {
      throw new Error(`cannot parse ${credential}`);
    };

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'FAILED', error: { code: 'ContextError' } });
    expect(world.everything()).not.toContain('canary');
  });
});
