import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type DisApi, startDisApi } from '../../../support/dis-api.ts';

interface Exchange {
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly query: Readonly<Record<string, string>>;
    readonly body: Record<string, unknown> | null;
  };
  readonly response: { readonly status: number; readonly body: Readonly<Record<string, unknown>> | null };
}

interface MethodCase {
  readonly case: string;
  readonly exchanges: readonly Exchange[];
}

const { cases } = JSON.parse(readFileSync(new URL('../../../fixtures/dis/methods.json', import.meta.url), 'utf8')) as {
  cases: MethodCase[];
};

/** What each recorded request asks for: the streams, apps, records and tasks of the examples. */
async function world(name: string): Promise<DisApi> {
  const api = await startDisApi();
  const isCreation = (what: string) => name.startsWith(`create_${what}`);
  if (!isCreation('stream')) await api.stream('newstream');
  if (name.startsWith('streams')) for (const one of ['s1', 's2', 's3']) await api.stream(one);
  if (!isCreation('app')) for (const one of ['newapp', 'a1', 'a2', 'a3']) await createApp(api, one);
  await api
    .put(
      Array.from({ length: 20 }, (_, at) => `${at}`),
      0,
      'newstream',
    )
    .catch(() => undefined);
  if (name.includes('dump_task') && !isCreation('dump')) {
    for (const task of ['newtask', 'other']) {
      await api.call('POST', '/streams/newstream/transfer-tasks', {
        obs_destination_descriptor: { task_name: task, agency_name: 'a', obs_bucket_path: 'bucket' },
      });
    }
  }
  return api;
}

const createApp = (api: DisApi, name: string) => api.call('POST', '/apps', { app_name: name });

/** The recorder answered 404 or a fixed example in these, which are about the client alone. */
const ABOUT_THE_CLIENT = /missing404|upload_data_empty/;

describe('the local server', () => {
  it.each(
    cases
      .filter((one) => one.exchanges.length > 0 && !ABOUT_THE_CLIENT.test(one.case))
      .map((one) => [one.case, one] as const),
  )('answers %s as the service does', async (name, { exchanges }) => {
    await using api = await world(name);
    for (const { request, response } of exchanges) {
      const query = new URLSearchParams(request.query);
      if (query.has('partition-cursor')) {
        const { json } = await api.cursor('cursor-type=TRIM_HORIZON', 0, 'newstream');
        query.set('partition-cursor', json.partition_cursor);
      }
      if (query.get('cursor-type') === 'AT_TIMESTAMP') query.set('timestamp', String(api.time.nowMs));
      const body = request.body?.tasks ? { ...request.body, tasks: await taskIds(api) } : request.body;
      const path = request.path.replace('/v2/{project_id}', '');
      const search = query.size === 0 ? '' : `?${query}`;

      const reply = await api.call(request.method, path + search, body ?? undefined);

      expect(reply.status, reply.bytes.toString()).toBe(response.status);
      if (response.body === null) expect(reply.bytes.length).toBe(0);
      else expectMembers(reply.json, response.body);
    }
  });
});

async function taskIds(api: DisApi): Promise<{ id: string }[]> {
  const { json } = await api.get('/streams/newstream/transfer-tasks');
  return json.tasks.map(({ task_id }) => ({ id: task_id }));
}

/** Members that an example has and a fresh stream has not. */
const OPTIONAL = new Set(['partition_key', 'error_code', 'error_message', 'deliver_size_interval']);

/** Everything that the example has is there, with values of the same type. */
function expectMembers(given: unknown, example: unknown): void {
  if (Array.isArray(example)) {
    expect(given).toBeInstanceOf(Array);
    const [first] = given as unknown[];
    if (first !== undefined && example.length > 0) expectMembers(first, example[0]);
    return;
  }
  if (typeof example !== 'object' || example === null) {
    expect(typeof given).toBe(typeof example);
    return;
  }
  for (const [name, value] of Object.entries(example)) {
    if (OPTIONAL.has(name)) continue;
    expect(given).toHaveProperty(name);
    expectMembers((given as Record<string, unknown>)[name], value);
  }
}
