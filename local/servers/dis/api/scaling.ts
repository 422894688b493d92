import { integer, invalid, optionalText } from '../fields.ts';
import { json } from '../replies.ts';
import { scale } from '../scaling.ts';
import type { Answer, Service } from '../service.ts';
import type { Stream, StreamType } from '../stream.ts';
import { parseJson } from '../wire/json.ts';
import { checkRunning, streamOf } from './targets.ts';

export const MAX_32 = 2 ** 31 - 1;

/** How many partitions of the type the account may still have. */
export function freePartitions({ state, rules }: Service, type: StreamType): number {
  const used = [...state.streams.values()].reduce(
    (sum, stream) => sum + (stream.settings.type === type ? stream.count : 0),
    0,
  );
  return rules.partitionQuota[type] - used;
}

export const updateStreamPartition: Answer = ({ path, query, body, service, nowMs }) => {
  const given = parseJson(body);
  const name = optionalText(given, 'stream_name');
  if (name !== undefined && name !== path.stream) throw invalid(`stream_name ${name.slice(0, 100)}`);
  const target = integer(given, 'target_partition_count', 1, MAX_32);
  const stream = streamOf(path, query, service);
  checkRunning(stream, nowMs);
  const current = stream.count;
  scaleStream(stream, target, nowMs, false, service);
  return json(200, {
    stream_name: stream.name,
    current_partition_count: current,
    target_partition_count: target,
  });
};

export function scaleStream(stream: Stream, target: number, nowMs: number, isAuto: boolean, service: Service): void {
  const { scalingLimits, creationDelayMs } = service.rules;
  const free = freePartitions(service, stream.settings.type);
  scale(stream, target, nowMs, isAuto, { limits: scalingLimits, free, delayMs: creationDelayMs });
  service.state.save();
}
