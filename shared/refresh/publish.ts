import { errorFacts, IngestError } from '../core/errors.ts';
import { writeFlatManifests } from '../landing/flat-manifest.ts';
import { writeGarbage } from '../landing/garbage.ts';
import { flatManifestKey, latestKey } from '../landing/keys.ts';
import { type LatestManifest, readLatest } from '../landing/manifest.ts';
import { runOf } from '../nodes/plan.ts';
import type { NodeRecord } from '../nodes/store.ts';
import { noneIn } from '../nodes/totals.ts';
import type { Pipeline } from '../pipelines/define.ts';
import type { RunState } from '../runs/store.ts';
import { nowMs, type RefreshDeps } from './deps.ts';
import { endRun } from './failure.ts';

/** Above this a flat manifest would be larger than what reads it can hold. */
export const FLAT_MANIFEST_MAX_PARTITIONS = 50_000;

/**
 * Swaps `latest.json` to what the root shows, in one step and never to an older run, and ends the run.
 *
 * The etag is read before the root, so a manifest can only replace one that was read before it.
 */
export async function publish(pipeline: Pipeline, run: number, rootId: string, deps: RefreshDeps): Promise<void> {
  const { name } = pipeline;
  const key = latestKey(name);
  for (;;) {
    const before = await readLatest(deps.objects, key);
    const root = await deps.nodes.get(name, rootId);
    const isDone = root?.plan !== undefined && runOf(root.plan) === run && root.state === 'DONE';
    // Whoever found that the root cannot be listed may have been cut off before it could end the run.
    if (isDone && root.error) return endRun(name, run, { state: 'FAILED', error: root.error }, deps);
    if (!isDone || !root.manifest) {
      deps.log.info('the root is not complete yet', { pipeline: name, run });
      return;
    }
    const failure = tooManyFailed(pipeline, root);
    if (failure) return endRun(name, run, { ...outcome('FAILED', root, run), error: errorFacts(failure) }, deps);
    if (before && before.latest.run > run) return endRun(name, run, outcome('SUCCEEDED', root, run), deps);

    const state: RunState = root.totals.failed > 0 ? 'PARTIAL' : 'SUCCEEDED';
    if (before?.latest.run !== run || before.latest.manifest !== root.manifest) {
      await deps.runs.note(name, run, { state: 'PUBLISHING' });
      const latest = await newLatest(pipeline, run, root, before?.latest, deps);
      const condition = before ? { ifMatch: before.etag } : { ifAbsent: true };
      const data = Buffer.from(`${JSON.stringify(latest, undefined, 1)}\n`);
      if (!(await deps.objects.put(key, data, { ...condition, contentType: 'application/json' }))) continue;
      // Not before: the grace of what this replaced begins with the swap.
      await deps.runs.note(name, run, { publishedAt: nowMs(deps) });
    }
    return endRun(name, run, outcome(state, root, run), deps);
  }
}

const outcome = (state: RunState, { totals, ran, manifest }: NodeRecord, run: number) => ({
  state,
  totals,
  ran: ran?.run === run ? ran : noneIn(run),
  ...(manifest ? { manifest } : {}),
});

async function newLatest(
  pipeline: Pipeline,
  run: number,
  root: NodeRecord,
  before: LatestManifest | undefined,
  deps: RefreshDeps,
): Promise<LatestManifest> {
  const base = {
    version: 1 as const,
    pipeline: pipeline.name,
    run,
    publishedAt: nowMs(deps),
    manifest: root.manifest!,
    totals: root.totals,
  };
  // Nothing changed: the flat manifests still say what is there.
  if (before && before.manifest === root.manifest && hasFiles(before, pipeline))
    return { ...base, files: before.files };
  const dropped = Object.values(before?.files ?? {});
  if (root.totals.partitions > FLAT_MANIFEST_MAX_PARTITIONS) {
    await writeGarbage(deps.objects, pipeline.name, run, [{ kind: 'files', keys: dropped }]);
    return { ...base, files: {} };
  }
  const keyOf = (file: string) => flatManifestKey(pipeline.name, run, `${deps.newId()}-${file}`);
  const keys = { json: keyOf('manifest.json'), csv: keyOf('manifest.csv'), symlink: keyOf('symlink.txt') };
  // They are garbage too, should this instance be cut off before the swap.
  await writeGarbage(deps.objects, pipeline.name, run, [{ kind: 'files', keys: [...dropped, ...Object.values(keys)] }]);
  return { ...base, files: await writeFlatManifests(pipeline, run, root.manifest!, before, keys, deps) };
}

/** All that the pipeline asks for by now; above the limit there are none. */
const hasFiles = ({ files, totals }: LatestManifest, { manifests }: Pipeline): boolean =>
  totals.partitions > FLAT_MANIFEST_MAX_PARTITIONS ||
  (['json', ...manifests] as const).every((file) => files[file] !== undefined);

/** A share of failures is known only once all has been tried. */
function tooManyFailed({ failurePolicy }: Pipeline, { totals }: NodeRecord): TooManyFailedError | undefined {
  if (typeof failurePolicy !== 'object' || failurePolicy.percent === undefined || totals.failed === 0) return undefined;
  const percent = (100 * totals.failed) / (totals.partitions + totals.failed - (totals.stale ?? 0));
  return percent > failurePolicy.percent
    ? new TooManyFailedError(totals.failed, percent, failurePolicy.percent)
    : undefined;
}

/** More partitions failed than the pipeline's threshold allows; nothing was published. */
export class TooManyFailedError extends IngestError {
  override readonly name = 'TooManyFailedError';
  readonly code = 'TooManyFailed';
  readonly retryable = false;
  constructor(failed: number, percent: number, limit: number) {
    super(`${failed} partitions failed, ${percent.toFixed(1)} % of all, and the pipeline allows ${limit} %`);
  }
}
