import { isObject } from '../../../../shared/core/json.ts';
import { newId } from '../credentials.ts';
import { parseDumpTask } from '../dump/descriptor.ts';
import { DumpTask, type TaskPartition } from '../dump/task.ts';
import { invalid, optionalChoice, partitionId, TASK_NAME } from '../fields.ts';
import { refusal } from '../refusal.ts';
import { empty, json } from '../replies.ts';
import type { Answer, CallContext } from '../service.ts';
import type { Stream } from '../stream.ts';
import { parseJson } from '../wire/json.ts';
import { checkRunning, streamOf } from './targets.ts';

/** Of one stream. */
const TASKS_MAX = 5;

export const createDumpTask: Answer = ({ path, query, body, service, nowMs }) => {
  const given = parseJson(body);
  const stream = streamOf(path, query, service);
  const { name, obs } = parseDumpTask(given, stream.settings);
  checkRunning(stream, nowMs);
  const { state, rules } = service;
  if (rules.agencies?.includes(obs.agency_name) === false) throw refusal('DIS.4335', obs.agency_name);
  if (rules.buckets?.includes(obs.obs_bucket_path) === false) throw refusal('DIS.4306', obs.obs_bucket_path);
  if (stream.tasks.some((task) => task.name === name)) throw refusal('DIS.4355', name);
  if (stream.tasks.length >= TASKS_MAX) throw refusal('DIS.4357', stream.name, String(TASKS_MAX));
  const readyAtMs = nowMs + rules.creationDelayMs;
  const partitions: Record<string, TaskPartition> = {};
  for (const partition of stream.readable(nowMs)) {
    const next = obs.consumer_strategy === 'LATEST' ? partition.next : partition.oldest(nowMs);
    partitions[partition.number] = { next, lastTransferMs: 0, discarded: 0 };
  }
  stream.tasks.push(
    new DumpTask({
      id: newId(),
      name,
      obs,
      createdAtMs: nowMs,
      readyAtMs,
      state: 'RUNNING',
      dueMs: readyAtMs + obs.deliver_time_interval * 1000,
      lastTransferMs: 0,
      partitions,
    }),
  );
  state.save();
  return empty(201);
};

export const dumpTasks: Answer = ({ path, query, service, nowMs }) => {
  const stream = streamOf(path, query, service);
  return json(200, {
    total_number: stream.tasks.length,
    quota: TASKS_MAX,
    tasks: stream.tasks.map((task) => head(task, nowMs)),
  });
};

const head = (task: DumpTask, nowMs: number) => ({
  task_id: task.id,
  task_name: task.name,
  state: task.stateAt(nowMs),
  destination_type: 'OBS',
  create_time: task.createdAtMs,
  last_transfer_timestamp: task.lastTransferMs,
});

function taskOf({ path, query, service }: CallContext): { readonly stream: Stream; readonly task: DumpTask } {
  const name = path.task ?? '';
  if (!TASK_NAME.test(name)) throw invalid(`task_name ${name.slice(0, 100)}`);
  const stream = streamOf(path, query, service);
  const task = stream.tasks.find((one) => one.name === name);
  if (!task) throw refusal('DIS.4354', name);
  return { stream, task };
}

export const getDumpTask: Answer = (context) => {
  const { stream, task } = taskOf(context);
  return json(200, {
    ...head(task, context.nowMs),
    // Clients read the one or the other.
    stream_id: stream.id,
    streamId: stream.id,
    stream_name: stream.name,
    exception_strategy: 'ignoreAndBackup',
    obs_destination_description: task.obs,
    partitions: [...task.partitions].map(([number, { next, lastTransferMs, discarded }]) => ({
      partitionId: partitionId(number),
      state: task.stateAt(context.nowMs),
      last_transfer_timestamp: lastTransferMs,
      last_transfer_offset: stream.partitions[number]!.sequence(next),
      discard: discarded,
    })),
  });
};

export const deleteDumpTask: Answer = (context) => {
  const { stream, task } = taskOf(context);
  stream.tasks.splice(stream.tasks.indexOf(task), 1);
  context.service.state.save();
  return empty(204);
};

/** Start or stop, by id; a batch with an unknown one changes nothing. */
export const dumpTaskAction: Answer = ({ path, query, body, service, nowMs }) => {
  const given = parseJson(body);
  const action = optionalChoice(given, 'action', ['start', 'stop']);
  if (!action) throw invalid('action null');
  if (!Array.isArray(given.tasks) || given.tasks.length === 0) throw invalid('tasks');
  const ids = given.tasks.map((task: unknown) => (isObject(task) ? String(task.id) : ''));
  const stream = streamOf(path, query, service);
  const tasks = ids.map((id) => {
    const task = stream.tasks.find((one) => one.id === id);
    if (!task) throw refusal('DIS.4354', id.slice(0, 100));
    return task;
  });
  for (const task of tasks) {
    if (action === 'start') task.start(nowMs, service.rules.creationDelayMs);
    else task.pause();
  }
  service.state.save();
  return empty(200);
};
