import { newId } from '../credentials.ts';
import { APP_NAME, invalid, optionalText, partitionNumber, STREAM_NAME, text } from '../fields.ts';
import { refusal } from '../refusal.ts';
import { empty, json } from '../replies.ts';
import type { Answer, Service } from '../service.ts';
import type { App } from '../state.ts';
import { parseJson } from '../wire/json.ts';
import { checkpointType } from './checkpoints.ts';
import { byName, limitOf, page } from './pages.ts';

export const createApp: Answer = ({ body, service, nowMs }) => {
  const name = text(parseJson(body), 'app_name', APP_NAME);
  const { state, rules } = service;
  if (state.apps.has(name)) throw refusal('DIS.4330', name);
  if (state.apps.size >= rules.appQuota) throw refusal('DIS.4329', String(rules.appQuota));
  state.apps.set(name, { id: newId(), name, createdAtMs: nowMs });
  state.save();
  return empty(201);
};

export const apps: Answer = ({ query, service }) => {
  const limit = limitOf(query, service);
  const start = optionalText(query, 'start_app_name', APP_NAME);
  const streamName = optionalText(query, 'stream_name', STREAM_NAME);
  const { state } = service;
  const stream = streamName === undefined ? undefined : state.stream(streamName, undefined);
  const all = byName(state.apps.values()).filter(({ name }) => !stream || stream.checkpoints.has(name));
  const { items, hasMore } = page(all, start, limit, ({ name }) => name);
  return json(200, {
    has_more_app: hasMore,
    total_number: all.length,
    apps: items.map((app) => info(app, service)),
  });
};

const info = ({ id, name, createdAtMs }: App, { state }: Service) => ({
  app_id: id,
  app_name: name,
  create_time: createdAtMs,
  commit_checkpoint_stream_names: byName(state.streams.values())
    .filter(({ checkpoints }) => checkpoints.has(name))
    .map((stream) => stream.name),
});

/** @throws {RefusedError} DIS.4332 */
export function appOf(name: string, { state }: Service): App {
  if (!APP_NAME.test(name)) throw invalid(`app_name ${name.slice(0, 100)}`);
  const app = state.apps.get(name);
  if (!app) throw refusal('DIS.4332', name);
  return app;
}

export const getApp: Answer = ({ path, service }) => json(200, info(appOf(path.app ?? '', service), service));

export const deleteApp: Answer = ({ path, service }) => {
  const { name } = appOf(path.app ?? '', service);
  const { state } = service;
  state.apps.delete(name);
  for (const stream of state.streams.values()) stream.checkpoints.delete(name);
  state.save();
  return empty(204);
};

export const appConsumptions: Answer = ({ path, query, service, nowMs }) => {
  const type = checkpointType(query, 'mandatory');
  const limit = limitOf(query, service, 'limit', 1000, 100);
  const start = optionalText(query, 'start_partition_id');
  const after = start === undefined ? -1 : partitionNumber(start);
  const appName = path.app ?? '';
  if (!APP_NAME.test(appName)) throw invalid(`app_name ${appName.slice(0, 100)}`);
  const stream = service.state.stream(path.stream, optionalText(query, 'stream_id'));
  const app = appOf(appName, service);
  const committed = stream.checkpoints.get(app.name);
  const rest = stream.partitions.filter(({ number }) => number > after);
  return json(200, {
    has_more: rest.length > limit,
    stream_name: stream.name,
    app_name: app.name,
    partition_consuming_states: rest.slice(0, limit).map((partition) => {
      const checkpoint = committed?.get(partition.number);
      return {
        // Here the service was documented with the short form.
        partition_id: String(partition.number),
        sequence_number: checkpoint?.sequenceNumber ?? '-1',
        latest_offset: partition.sequence(partition.next),
        earliest_offset: partition.sequence(partition.oldest(nowMs)),
        checkpoint_type: type,
        status: partition.statusAt(nowMs),
        ...(checkpoint ? { metadata: checkpoint.metadata } : {}),
      };
    }),
  });
};
