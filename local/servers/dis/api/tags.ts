import { isObject } from '../../../../shared/core/json.ts';
import { invalid, optionalChoice, optionalInteger, optionalText, type Source, text } from '../fields.ts';
import { refusal } from '../refusal.ts';
import { empty, json } from '../replies.ts';
import type { Answer, CallContext } from '../service.ts';
import type { Stream, Tag } from '../stream.ts';
import { parseJson } from '../wire/json.ts';

const TAGS_MAX = 10;
const KEY = /^[^=*<>\\,|/]{1,36}$/;
const VALUE = /^[^=*<>\\,|/]{0,43}$/;

/** @throws {RefusedError} DIS.4200, DIS.4601 for more than ten */
export function parseTags(given: unknown): Tag[] {
  if (given === undefined || given === null) return [];
  if (!Array.isArray(given)) throw invalid('tags');
  const tags = given.map((tag: unknown) => parseTag(tag));
  if (new Set(tags.map(({ key }) => key)).size < tags.length) throw invalid('tags: a key twice');
  if (tags.length > TAGS_MAX) throw refusal('DIS.4601', String(tags.length));
  return tags;
}

function parseTag(given: unknown): Tag {
  if (!isObject(given)) throw invalid('tag');
  return { key: text(given, 'key', KEY), value: optionalText(given, 'value', VALUE) ?? '' };
}

function streamById({ path, service }: CallContext): Stream {
  const stream = [...service.state.streams.values()].find(({ id }) => id === path.streamId);
  if (!stream) throw refusal('DIS.4603', path.streamId ?? '');
  return stream;
}

/** A key that is there already takes the new value. */
function add(stream: Stream, tags: readonly Tag[]): void {
  const kept = stream.tags.filter(({ key }) => tags.every((tag) => tag.key !== key));
  if (kept.length + tags.length > TAGS_MAX) throw refusal('DIS.4601', stream.name);
  stream.tags = [...kept, ...tags];
}

function remove(stream: Stream, keys: readonly string[]): void {
  const unknown = keys.find((key) => stream.tags.every((tag) => tag.key !== key));
  if (unknown !== undefined) throw refusal('DIS.4604', unknown);
  stream.tags = stream.tags.filter(({ key }) => !keys.includes(key));
}

export const createTag: Answer = (context) => {
  const tag = parseTag(parseJson(context.body).tag);
  add(streamById(context), [tag]);
  context.service.state.save();
  return empty(201);
};

export const tags: Answer = (context) => json(200, { tags: streamById(context).tags });

export const deleteTag: Answer = (context) => {
  remove(streamById(context), [context.path.key ?? '']);
  context.service.state.save();
  return empty(204);
};

export const tagAction: Answer = (context) => {
  const given = parseJson(context.body);
  const action = text(given, 'action');
  const changed = parseTags(given.tags);
  const stream = streamById(context);
  if (action === 'create') add(stream, changed);
  else if (action === 'delete')
    remove(
      stream,
      changed.map(({ key }) => key),
    );
  else throw refusal('DIS.4605', action.slice(0, 100));
  context.service.state.save();
  return empty(204);
};

export const projectTags: Answer = ({ service }) => {
  const values = new Map<string, Set<string>>();
  for (const { key, value } of [...service.state.streams.values()].flatMap((stream) => stream.tags)) {
    values.set(key, (values.get(key) ?? new Set()).add(value));
  }
  return json(200, { tags: [...values].map(([key, some]) => ({ key, values: [...some].sort() })) });
};

/** Streams by their tags: `filter` lists them, `count` counts. */
export const resourceAction: Answer = ({ body, service }) => {
  const given = parseJson(body);
  const action = optionalChoice(given, 'action', ['filter', 'count']);
  if (!action) throw refusal('DIS.4605', String(given.action).slice(0, 100));
  const [limit, offset] = [
    optionalInteger(given, 'limit', 1, 1000) ?? 10,
    optionalInteger(given, 'offset', 0, 1e9) ?? 0,
  ];
  const wanted = wantedTags(given, 'tags');
  const [any, none, noneOfAny] = ['tags_any', 'not_tags', 'not_tags_any'].map((name) => wantedTags(given, name));
  const found = [...service.state.streams.values()].filter(
    (stream) =>
      wanted.every((one) => has(stream, one)) &&
      (any!.length === 0 || any!.some((one) => has(stream, one))) &&
      (none!.length === 0 || !none!.every((one) => has(stream, one))) &&
      !noneOfAny!.some((one) => has(stream, one)),
  );
  if (action === 'count') return json(200, { total_count: found.length });
  return json(200, {
    resources: found.slice(offset, offset + limit).map((stream) => ({
      resource_id: stream.id,
      resource_name: stream.name,
      tags: stream.tags,
    })),
    total_count: found.length,
  });
};

interface WantedTag {
  readonly key: string;
  /** Empty: any. */
  readonly values: readonly string[];
}

function wantedTags(given: Source, name: string): WantedTag[] {
  const list = given[name];
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list)) throw invalid(name);
  return list.map((one: unknown) => {
    if (!isObject(one)) throw invalid(name);
    return { key: text(one, 'key'), values: Array.isArray(one.values) ? one.values.map(String) : [] };
  });
}

const has = (stream: Stream, { key, values }: WantedTag): boolean =>
  stream.tags.some((tag) => tag.key === key && (values.length === 0 || values.includes(tag.value)));
