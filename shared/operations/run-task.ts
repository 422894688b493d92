import { BucketStore } from '../buckets/store.ts';
import type { TaskTemplate } from '../connectors/async/task-template.ts';
import { deadlineOf } from '../core/deadline.ts';
import { newId } from '../core/ids.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { ExecutorDeps, PipelineTasks } from '../jobs/deps.ts';
import { beginJob, cancelJob, lookAfter } from '../jobs/executor.ts';
import { type JobRecord, JobStore } from '../jobs/store.ts';
import type { Objects } from '../landing/objects.ts';
import { parsePollJob } from '../queue/messages.ts';
import type { RefreshDeps } from '../refresh/deps.ts';
import { SqliteDatabase } from '../sqlite/database.ts';
import { sqliteTables } from '../tables/sqlite.ts';

export interface TaskRun {
  readonly taskTemplate: TaskTemplate;
  readonly inputs?: Readonly<Record<string, JsonValue>>;
  readonly connection?: string;
  readonly tasks: PipelineTasks;
  /** Told each look's outcome. */
  readonly onLook: (job: JobRecord) => void;
  /** Waits; rejects if the signal fires. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Asks for the job to be stopped; the run then ends when it has. */
  readonly signal: AbortSignal;
}

export interface TaskEnd {
  readonly job: JobRecord;
  /** Of a job that succeeded. */
  readonly outputs?: JsonObject;
}

const PIPELINE = 'task';
const LOOK_MS = 60_000;

/** Runs one external job to its end in this process: the executor of the functions, on a store in memory. */
export async function runTask(run: TaskRun, { clock, random, log, redactor, objects }: RefreshDeps): Promise<TaskEnd> {
  using database = disposable(new SqliteDatabase(':memory:'));
  const tables = sqliteTables(database.value);
  const node = newId();
  const messages: { readonly body: string; readonly atMs: number }[] = [];
  const kept = new Map<string, Uint8Array>();
  const nowMs = () => clock().getTime();
  const deps: ExecutorDeps = {
    ...{ clock, random, log, redactor },
    jobs: new JobStore(tables.jobs),
    buckets: new BucketStore(tables.buckets, random),
    objects: keptObjects(kept, objects),
    queues: {
      send: async (_queue, sent) => {
        for (const { body, delaySeconds = 0 } of sent) messages.push({ body, atMs: nowMs() + delaySeconds * 1000 });
      },
    },
    tasksOf: async () => run.tasks,
    isWanted: async () => true,
    tell: async () => {},
  };
  const { taskTemplate, inputs, connection } = run;
  const request = {
    path: [taskTemplate.id?.name ?? taskTemplate.type],
    taskTemplate,
    ...(inputs ? { inputs } : {}),
    ...(connection === undefined ? {} : { connection }),
  };
  await beginJob({ pipeline: PIPELINE, node, request, notify: { run: 1 } }, deps);
  let stopping = false;
  for (;;) {
    const job = await deps.jobs.latest(PIPELINE, node);
    if (job?.status === 'DONE' && job.dueAt === undefined) return endOf(job, kept);
    if (run.signal.aborted && !stopping && job) {
      stopping = true;
      await cancelJob(job, 'stopped by hand', deps);
    }
    const at = messages.findIndex(({ atMs }) => atMs <= nowMs());
    if (at >= 0) {
      const [message] = messages.splice(at, 1);
      const until = nowMs() + LOOK_MS;
      using deadline = deadlineOf({ getRemainingTimeInMillis: () => until - nowMs() });
      await lookAfter(parsePollJob(JSON.parse(message!.body)), { messageId: newId(), deadline }, deps);
      run.onLook((await deps.jobs.latest(PIPELINE, node))!);
      continue;
    }
    const next = Math.min(...messages.map(({ atMs }) => atMs));
    await run.sleep(Math.max(1, next - nowMs()), stopping ? new AbortController().signal : run.signal).catch(() => {});
  }
}

function endOf(job: JobRecord, kept: ReadonlyMap<string, Uint8Array>): TaskEnd {
  const stored = job.outputs === undefined ? undefined : kept.get(job.outputs);
  return stored ? { job, outputs: JSON.parse(Buffer.from(stored).toString()) as JsonObject } : { job };
}

/** Outputs stay in memory; where they would lie is told as the backend would. */
function keptObjects(kept: Map<string, Uint8Array>, { location }: Objects): ExecutorDeps['objects'] {
  return {
    put: async (key, data) => {
      kept.set(key, data);
      return { bytes: data.byteLength as never, etag: '' };
    },
    location,
  };
}

const disposable = (value: SqliteDatabase) => ({ value, [Symbol.dispose]: () => value.close() });
