import {
  APP_NAME,
  invalid,
  optionalChoice,
  optionalText,
  partitionNumber,
  type Source,
  sequenceNumber,
  text,
} from '../fields.ts';
import type { Partition } from '../partition.ts';
import { refusal } from '../refusal.ts';
import { empty, json } from '../replies.ts';
import type { Answer, Service } from '../service.ts';
import type { Stream } from '../stream.ts';
import { parseJson } from '../wire/json.ts';
import { appOf } from './apps.ts';

const TYPES = ['LAST_READ'] as const;
const METADATA_MAX_CHARS = 1000;

/** Only one type exists. The official Python SDK leaves it out when it deletes. */
export function checkpointType(source: Source, presence: 'mandatory' | 'optional'): 'LAST_READ' {
  const type = optionalChoice(source, 'checkpoint_type', TYPES);
  if (type === undefined && presence === 'mandatory') throw invalid('checkpoint_type null');
  return 'LAST_READ';
}

/** The form of all fields first, then what they name. */
function targetOf(source: Source, service: Service, nowMs: number, partition: 'mandatory' | 'optional') {
  const appName = text(source, 'app_name', APP_NAME);
  const id = partition === 'mandatory' ? text(source, 'partition_id') : optionalText(source, 'partition_id');
  const number = id === undefined ? undefined : partitionNumber(id);
  const stream = namedStream(source, service);
  const app = appOf(appName, service);
  const { projectId } = service.state.credentials;
  return {
    stream,
    app,
    partition: number === undefined ? undefined : stream.partition(number, nowMs, projectId),
  };
}

/** By `stream_name` or `stream_id`, one of which must be there. */
export function namedStream(source: Source, { state }: Service): Stream {
  const name = optionalText(source, 'stream_name');
  const id = optionalText(source, 'stream_id');
  if (name === undefined && id === undefined) throw invalid('stream_name null');
  return state.stream(name, id);
}

export const createCheckpoint: Answer = ({ body, service, nowMs }) => {
  const given = parseJson(body);
  checkpointType(given, 'mandatory');
  const sequence = sequenceNumber(text(given, 'sequence_number'));
  const metadata = optionalText(given, 'metadata') ?? '';
  if (metadata.length > METADATA_MAX_CHARS) throw invalid(`metadata of ${metadata.length} characters`);
  const { stream, app, partition } = targetOf(given, service, nowMs, 'mandatory');
  checkInRange(sequence, partition!, nowMs);
  const partitions = stream.checkpoints.get(app.name) ?? new Map();
  partitions.set(partition!.number, { sequenceNumber: String(sequence), metadata });
  stream.checkpoints.set(app.name, partitions);
  service.state.save();
  return empty(201);
};

/** From the one before the oldest, which a reader has who has read nothing, to the one to come, which some readers store. */
function checkInRange(sequence: bigint, partition: Partition, nowMs: number): void {
  const oldest = partition.sequence(partition.oldest(nowMs));
  const next = partition.sequence(partition.next);
  if (sequence >= oldest - 1n && sequence <= next) return;
  throw refusal('DIS.4224', String(sequence), ' should be within ', String(oldest), ' ', String(next));
}

export const getCheckpoint: Answer = ({ query, service, nowMs }) => {
  checkpointType(query, 'mandatory');
  const { stream, app, partition } = targetOf(query, service, nowMs, 'mandatory');
  const found = stream.checkpoints.get(app.name)?.get(partition!.number);
  return json(200, { sequence_number: found?.sequenceNumber ?? '-1', metadata: found?.metadata ?? '' });
};

export const deleteCheckpoint: Answer = ({ query, service, nowMs }) => {
  checkpointType(query, 'optional');
  const { stream, app, partition } = targetOf(query, service, nowMs, 'optional');
  const partitions = stream.checkpoints.get(app.name);
  if (partition) partitions?.delete(partition.number);
  if (!partition || partitions?.size === 0) stream.checkpoints.delete(app.name);
  service.state.save();
  return empty(204);
};
