import { describe, expect, it } from 'vitest';
import { LandfallRefreshConnector } from '../../../shared/connectors/async/built-in/landfall-refresh.ts';
import { landfallRefreshPorts } from '../../../shared/operations/refresh-ports.ts';
import { PIPELINE, World } from '../../support/world.ts';
import { aContext, aRequest, failure } from '../connectors/async/built-in/harness.ts';

const asking = (pipeline = PIPELINE, token = 'token-1') => ({ pipeline, token, force: false });

function aWorld() {
  const world = new World();
  world.source.leaf(['a'], '1');
  return { world, ports: landfallRefreshPorts(world.deps()) };
}

describe('landfallRefreshPorts', () => {
  it('begins a run, tells how it stands, and what it published', async () => {
    const { world, ports } = aWorld();
    const connector = new LandfallRefreshConnector(ports);

    const handle = await connector.create(aRequest('landfall.refresh', { pipeline: PIPELINE }), aContext());
    const before = await connector.get(handle, aContext());
    await world.work();
    const after = await connector.get(handle, aContext());

    expect(before.phase).toBe('RUNNING');
    expect(after).toMatchObject({
      phase: 'SUCCEEDED',
      outputs: { run: 1, partitions: 1, landed: 1, failed: 0, removed: 0 },
    });
    expect(after.outputs?.manifest).toMatch(/manifest/);
    await connector.delete(handle);
    expect((await connector.get(handle, aContext())).phase).toBe('SUCCEEDED');
  });

  it('finds the run of a token again: while it runs, when it has ended, and after later ones', async () => {
    const { world, ports } = aWorld();

    expect(await ports.start(asking())).toBe(1);
    expect(await ports.start(asking())).toBe(1);
    await world.work();
    expect(await ports.start(asking())).toBe(1);
    await world.refresh();
    expect(await ports.start(asking())).toBe(1);
    expect((await world.runs.active(PIPELINE))?.number).toBe(2);
  });

  it('while a run is going on, is the one after it', async () => {
    const { world, ports } = aWorld();
    await world.start();

    const run = await ports.start(asking());
    const waiting = await ports.look({ ...asking(), run });
    expect(await ports.start(asking())).toBe(run);
    await world.work();

    expect(run).toBe(2);
    expect(waiting).toEqual({ state: 'PENDING' });
    expect(await ports.look({ ...asking(), run })).toMatchObject({ state: 'SUCCEEDED', published: { landed: 0 } });
  });

  it('cancels a run that goes on, once', async () => {
    const { world, ports } = aWorld();
    const run = await ports.start(asking());

    await ports.cancel({ ...asking(), run });
    await ports.cancel({ ...asking(), run });

    expect(await ports.look({ ...asking(), run })).toEqual({ state: 'CANCELLED' });
    expect((await world.runs.active(PIPELINE))?.active).toBeUndefined();
  });

  it('takes back the wish for a run that waits, but not that of others', async () => {
    const { world, ports } = aWorld();
    await world.start();
    const run = await ports.start(asking());
    await ports.start(asking(PIPELINE, 'token-2'));

    await ports.cancel({ ...asking(), run });

    expect(await ports.look({ ...asking(), run })).toBeUndefined();
    expect(await ports.look({ ...asking(PIPELINE, 'token-2'), run })).toEqual({ state: 'PENDING' });
    await ports.cancel({ ...asking(PIPELINE, 'token-2'), run });
    await world.work();
    expect((await world.runs.active(PIPELINE))?.number).toBe(1);
  });

  it('leaves the wish of a trigger without a token alone', async () => {
    const { world, ports } = aWorld();
    await world.start();
    await world.start();
    const run = await ports.start(asking());

    await ports.cancel({ ...asking(), run });
    await world.work();

    expect((await world.runs.active(PIPELINE))?.number).toBe(2);
  });

  it('never ends a run that was not begun for its token', async () => {
    const { world, ports } = aWorld();
    await world.start();

    await ports.cancel({ ...asking(), run: 1 });

    expect((await world.runs.active(PIPELINE))?.active).toBe(1);
    expect(await ports.look({ ...asking(), run: 1 })).toBeUndefined();
  });

  it('keeps the token of a run whose record was not written', async () => {
    const { world, ports } = aWorld();
    const run = await ports.start(asking());
    await world.tables.runs.delete({ pk: PIPELINE, sk: `run#${String(run).padStart(8, '0')}` });

    expect(await ports.look({ ...asking(), run })).toEqual({ state: 'LISTING' });
    await world.sweep();
    await world.work();

    expect(await ports.look({ ...asking(), run })).toMatchObject({ state: 'SUCCEEDED' });
  });

  it('reads everything again if asked to', async () => {
    const { world, ports } = aWorld();
    await world.refresh();

    const run = await ports.start({ ...asking(), force: true });
    await world.work();

    expect(await ports.look({ ...asking(), run })).toMatchObject({ published: { landed: 1 } });
  });

  it('names a pipeline that is not there, and one that is paused', async () => {
    const { world, ports } = aWorld();
    const create = (pipeline: string) =>
      new LandfallRefreshConnector(ports).create(aRequest('landfall.refresh', { pipeline }), aContext());

    expect(await failure(create('nope'))).toMatchObject({ code: 'BadTaskSpecification' });
    await world.runs.setPaused(PIPELINE, true);
    expect(await failure(create(PIPELINE))).toMatchObject({ code: 'BadTaskSpecification' });
  });
});
