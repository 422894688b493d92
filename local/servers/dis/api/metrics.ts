import { integer, partitionNumber, text } from '../fields.ts';
import { refusal } from '../refusal.ts';
import { json, type Reply } from '../replies.ts';
import type { Answer, CallContext } from '../service.ts';
import type { Minute } from '../traffic.ts';
import { streamOf } from './targets.ts';

/** How each label is made of the minutes' counts. Latencies are none to speak of on one machine. */
const LABELS: Readonly<Record<string, (minute: Minute) => number>> = {
  total_put_bytes: ({ putBytes }) => putBytes,
  total_get_bytes: ({ getBytes }) => getBytes,
  total_put_records: ({ putRecords }) => putRecords,
  total_get_records: ({ getRecords }) => getRecords,
};

const STREAM_LABELS: Readonly<Record<string, (minute: Minute) => number>> = {
  ...Object.fromEntries(Object.entries(LABELS).map(([name, count]) => [`${name}_per_stream`, count])),
  total_put_req_latency: () => 0,
  total_get_req_latency: () => 0,
  total_put_req_suc_per_stream: ({ putRequests }) => putRequests,
  total_get_req_suc_per_stream: ({ getRequests }) => getRequests,
  traffic_control_put: ({ putThrottled }) => putThrottled,
  traffic_control_get: ({ getThrottled }) => getThrottled,
};

const PARTITION_LABELS = Object.fromEntries(
  Object.entries(LABELS).map(([name, count]) => [`${name}_per_partition`, count]),
);

const WEEK_SECONDS = 7 * 24 * 3600;

export const streamMetrics: Answer = (context) =>
  metrics(context, STREAM_LABELS, streamOf(context.path, context.query, context.service).id);

export const partitionMetrics: Answer = (context) => {
  const { path, query, service, nowMs } = context;
  const number = partitionNumber(path.partition ?? '');
  const stream = streamOf(path, query, service);
  stream.partition(number, nowMs, service.state.credentials.projectId);
  return metrics(context, PARTITION_LABELS, `${stream.id}/${number}`);
};

function metrics(
  { query, service }: CallContext,
  known: Readonly<Record<string, (minute: Minute) => number>>,
  subject: string,
): Reply {
  const isList = query.label === undefined && query.label_list !== undefined;
  const labels = text(query, isList ? 'label_list' : 'label').split(',');
  if (labels.some((label) => !Object.hasOwn(known, label))) throw refusal('DIS.4209', labels.join(','));
  // Seconds, as in no other call.
  const start = integer(query, 'start_time', 0, 1e11);
  const end = integer(query, 'end_time', 0, 1e11);
  if (start > end) throw refusal('DIS.4203', `${start}`, `${end}`);
  if (end - start > WEEK_SECONDS) throw refusal('DIS.4204', `${start}`, `${end}`);
  const minutes = service.traffic.between(subject, start * 1000, end * 1000);
  const found = labels.map((label) => ({
    label,
    dataPoints: minutes.map(({ atMs, minute }) => ({ timestamp: atMs / 1000, value: known[label]!(minute) })),
  }));
  return json(200, isList ? { metrics_list: found } : { metrics: found[0] });
}
