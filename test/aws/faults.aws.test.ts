import { createHash, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { workUntilDone } from '../../local/worker/run-pipelines.ts';
import { createAws, openAws } from '../../shared/backends/aws.ts';
import { files } from '../../shared/connectors/files/files.ts';
import { systemClock } from '../../shared/core/clock.ts';
import { silentLogger } from '../../shared/core/logger.ts';
import { Redactor } from '../../shared/core/redaction.ts';
import { latestKey } from '../../shared/landing/keys.ts';
import { manifestLeaves, readLatest } from '../../shared/landing/manifest.ts';
import { openRefresh } from '../../shared/operations/open.ts';
import { catalogOf } from '../../shared/pipelines/catalog.ts';
import { definePipeline } from '../../shared/pipelines/define.ts';
import { startRefresh } from '../../shared/steps/start-refresh.ts';
import { sweep } from '../../shared/steps/sweep.ts';
import { seeded } from '../support/seeded.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';

const name = 'faults';
const prefix = `faults-${randomUUID().slice(0, 8)}`;
const endpoint = process.env.AWS_ENDPOINT_URL!;
const direct = new S3Client({ forcePathStyle: true });
const random = seeded(11);
let proxy: FaultProxy;
let source: string;

beforeAll(async () => {
  await direct.send(
    new CreateBucketCommand({ Bucket: prefix, CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' } }),
  );
  await createAws({ prefix });
  proxy = await startFaultProxy(endpoint, 0.04, random);
  for (const service of ['', '_S3', '_SQS', '_DYNAMODB']) vi.stubEnv(`AWS_ENDPOINT_URL${service}`, proxy.url);
  source = await mkdtemp(join(tmpdir(), 'landfall-faults-'));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  direct.destroy();
  await proxy.close();
  await rm(source, { recursive: true });
});

/** What the source holds, by path. */
const held = new Map<string, string>();

async function mutate(changes: number): Promise<void> {
  for (let change = 0; change < changes; change++) {
    const folder = `d${Math.floor(random() * 3)}`;
    const path = `${folder}/f${Math.floor(random() * 20)}.txt`;
    await mkdir(join(source, folder), { recursive: true });
    if (random() < 0.25) {
      await rm(join(source, path), { force: true });
      held.delete(path);
    } else {
      const text = `${random()}`;
      await writeFile(join(source, path), text);
      held.set(path, createHash('sha256').update(text).digest('hex'));
    }
  }
}

describe('the aws backend behind an endpoint that delays, cuts, fails and throttles', () => {
  it('loses nothing, lands nothing twice, and leaves no orphan', async () => {
    const backend = openAws({ prefix, bucket: prefix, forcePathStyle: true });
    const pipeline = definePipeline({
      name,
      source: files({ folder: source }),
      removeGraceHours: 0,
      deleteGuard: 'off',
      failurePolicy: 'partition',
    });
    const pipelines = catalogOf([{ file: 'faults.ts', pipeline }]);
    const deps = openRefresh({ backend, pipelines, log: silentLogger, redactor: new Redactor(), clock: systemClock });
    const work = () =>
      workUntilDone({ backend, deps, pipelines: [name], signal: AbortSignal.timeout(50_000), timeoutMs: 10_000 });
    const refresh = async () => {
      await startRefresh({ pipeline: name, trigger: 'manual' }, deps).catch(() => {});
      await work().catch(() => {});
    };
    for (let round = 0; round < 2; round++) {
      await mutate(40);
      await refresh();
    }
    proxy.heal();
    await refresh();
    await startRefresh({ pipeline: name, trigger: 'manual' }, deps);
    await work();
    for (let round = 0; round < 2; round++)
      await sweep({}, { remainingMs: () => 60_000, signal: AbortSignal.timeout(60_000) }, deps);

    const { latest } = (await readLatest(backend.objects, latestKey(name)))!;
    const shown = new Map<string, string>();
    const keys: string[] = [];
    for await (const { path, entry } of manifestLeaves(backend.objects, latest.manifest)) {
      shown.set(path.join('/'), entry.sha256);
      keys.push(...entry.objects.map(({ key }) => key));
    }
    const { Contents = [] } = await direct.send(new ListObjectsV2Command({ Bucket: prefix, Prefix: `${name}/data/` }));
    backend.close();

    expect([...proxy.dealt.keys()].sort()).toEqual(['500', '503', 'cut after', 'cut before', 'delay', 'throttle']);
    expect(shown).toEqual(held);
    expect(Contents.map(({ Key }) => Key).sort()).toEqual(keys.sort());
  }, 240_000);
});
