import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { workUntilDone } from '../../local/worker/run-pipelines.ts';
import { createAws, openAws } from '../../shared/backends/aws.ts';
import type { Backend } from '../../shared/backends/backend.ts';
import { files } from '../../shared/connectors/files/files.ts';
import { systemClock } from '../../shared/core/clock.ts';
import { silentLogger } from '../../shared/core/logger.ts';
import { newMeter, sumMeterLines } from '../../shared/core/meter.ts';
import { Redactor } from '../../shared/core/redaction.ts';
import { latestKey } from '../../shared/landing/keys.ts';
import { manifestLeaves, readLatest } from '../../shared/landing/manifest.ts';
import { openRefresh } from '../../shared/operations/open.ts';
import { catalogOf } from '../../shared/pipelines/catalog.ts';
import { definePipeline } from '../../shared/pipelines/define.ts';
import { startRefresh } from '../../shared/steps/start-refresh.ts';

const VEGA = join(import.meta.dirname, '../../node_modules/vega-datasets');
const name = 'vega-files';
const prefix = `example-${randomUUID().slice(0, 8)}`;
const bucket = prefix;
let backend: Backend;
let folder: string;

beforeAll(async () => {
  const s3 = new S3Client({ forcePathStyle: true });
  await s3.send(
    new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' } }),
  );
  s3.destroy();
  await createAws({ prefix });
  backend = openAws({ prefix, bucket, forcePathStyle: true });
  folder = await mkdtemp(join(tmpdir(), 'landfall-aws-'));
  await mkdir(join(folder, 'own'));
});
afterAll(async () => {
  backend.close();
  await rm(folder, { recursive: true });
});

/** One refresh of the pipeline on the aws backend, through the worker and the functions' own handlers. */
async function refresh(source: string) {
  const pipeline = definePipeline({ name, source: files({ folder: source }) });
  const meter = newMeter();
  const pipelines = catalogOf([{ file: 'vega-files.ts', pipeline }]);
  const deps = openRefresh({
    backend,
    pipelines,
    log: silentLogger,
    redactor: new Redactor(),
    clock: systemClock,
    meter,
  });
  const { run } = await startRefresh({ pipeline: name, trigger: 'manual' }, deps);
  await workUntilDone({ backend, deps, pipelines: [name], signal: AbortSignal.timeout(60_000), waitSeconds: 0 });
  const record = await deps.runs.record(name, run!);
  return { record, meter, deps };
}

async function landed(): Promise<Map<string, { sha256: string; bytes: number; stored: number }>> {
  const { latest } = (await readLatest(backend.objects, latestKey(name)))!;
  const found = new Map<string, { sha256: string; bytes: number; stored: number }>();
  for await (const { path, entry } of manifestLeaves(backend.objects, latest.manifest)) {
    const heads = await Promise.all(entry.objects.map(({ key }) => backend.objects.head(key)));
    const stored = heads.reduce((sum, head) => sum + (head?.bytes ?? Number.NaN), 0);
    found.set(path.join('/'), { sha256: entry.sha256, bytes: entry.bytes, stored });
  }
  return found;
}

describe('the example pipeline on the aws backend', () => {
  it('lands every file, reads nothing the second time, and removes what is gone', async () => {
    const first = await refresh(VEGA);
    const all = await landed();

    expect(first.record).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: all.size, failed: 0 } });
    expect(all.size).toBeGreaterThan(70);
    expect([...all.values()].every(({ bytes, stored }) => bytes === stored)).toBe(true);

    const second = await refresh(VEGA);

    expect(second.record).toMatchObject({ state: 'SUCCEEDED', ran: { landed: {}, removed: 0 } });
    expect(sumMeterLines(second.meter.snapshot(), { operation: 'send', resource: 'read-bytes' }).requests).toBe(0);
    expect(await landed()).toEqual(all);
  });

  it('sees new, changed and removed files', async () => {
    await writeFile(join(folder, 'own/a.csv'), 'a');
    await writeFile(join(folder, 'own/b.csv'), 'b');
    await refresh(folder);
    await writeFile(join(folder, 'own/a.csv'), 'changed');
    await utimes(join(folder, 'own/a.csv'), 1, 1);
    await rm(join(folder, 'own/b.csv'));
    await writeFile(join(folder, 'own/c.csv'), 'c');

    const { record } = await refresh(folder);

    expect(record).toMatchObject({ state: 'SUCCEEDED', ran: { landed: { NEW: 1, CHANGED: 1 }, removed: 1 } });
    expect([...(await landed()).keys()]).toEqual(['own/a.csv', 'own/c.csv']);
  });
});
