import { expect, it } from 'vitest';
import { latestKey } from '../../shared/landing/keys.ts';
import { manifestLeaves, readLatest } from '../../shared/landing/manifest.ts';
import { deliver, functionHome, openFunction, sampleEvent } from '../support/function-run.ts';

const { backend } = functionHome();

it('the functions, each fed from its queue, land a pipeline and publish it', async () => {
  const [start, list, read, finish] = await Promise.all(
    ['start-refresh', 'list-objects', 'read-bytes', 'finish-refresh'].map(openFunction),
  );

  await start!(sampleEvent('start-refresh.manual'));
  for (let delivered = 1; delivered > 0; ) {
    delivered = await deliver(backend, 'list-objects', list!);
    delivered += await deliver(backend, 'read-bytes', read!);
    delivered += await deliver(backend, 'finish-refresh', finish!);
  }

  const latest = (await readLatest(backend.objects, latestKey('calendar')))?.latest;
  expect(latest).toMatchObject({ run: 1, totals: { partitions: 24, failed: 0 } });
  const paths: string[] = [];
  for await (const { path } of manifestLeaves(backend.objects, latest!.manifest)) paths.push(path.join('/'));
  expect(paths).toHaveLength(24);
  expect(paths).toContain('2024/02');
});
