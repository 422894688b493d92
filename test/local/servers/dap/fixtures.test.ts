import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { FaultRule } from '../../../../local/servers/dap/faults.ts';
import type { DapServerOptions } from '../../../../local/servers/dap/server.ts';
import { DEFAULT_TABLES } from '../../../../local/servers/dap/tables/catalog.ts';
import { entityTable } from '../../../../local/servers/dap/tables/definition.ts';
import { isObject, type JsonObject, type JsonValue } from '../../../../shared/core/json.ts';
import { type Answer, type DapApi, FIRST_COMMIT, startDapApi } from '../../../support/dap-api.ts';

interface Exchange {
  readonly name: string;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly query?: Record<string, string>;
    readonly headers?: Record<string, string>;
    readonly body?: JsonValue;
    /** The body to the letter. */
    readonly bodyText?: string;
  };
  readonly reply: {
    readonly status: number;
    readonly headers?: Record<string, string>;
    readonly body?: JsonValue;
    readonly bodyText?: string;
  };
}

const folder = new URL('../../../fixtures/dap/', import.meta.url);
const exchanges = (file: string): Exchange[] => JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Exchange[];

/** How the server comes to be in the state that an exchange shows. */
interface Scene {
  readonly options?: DapServerOptions;
  /** Before the request, which it may change. */
  readonly prepare?: (api: DapApi, request: Exchange['request']) => Promise<Exchange['request']>;
}

const tablesOf = (...names: string[]) => [
  ...DEFAULT_TABLES,
  ...names.map((name) => entityTable('canvas', name, '', {})),
];
const slow: DapServerOptions = { jobSpeed: 1 };
const fault = (route: FaultRule['route'], name: FaultRule['fault']): Scene => ({
  options: { faults: [{ route, fault: name }] },
});

const jobAfter = (ms: number): Scene => ({
  options: slow,
  prepare: async (api, request) => {
    const { json } = await api.query('users', { format: 'jsonl' });
    api.server.advance(ms);
    return { ...request, path: `/dap/job/${json.id}` };
  },
});

const ofJob = (query: JsonObject, options: DapServerOptions = {}): Scene => ({
  options,
  prepare: async (api, request) => ({ ...request, path: `/dap/job/${(await api.query('users', query)).json.id}` }),
});

const FIRST = '2025-12-01T10:00:00.273Z';
/** When the recordings were made, so that their instants are in range. */
const recordedAt: DapServerOptions = {
  clock: () => new Date('2026-11-20T11:34:00Z'),
  firstCommitAt: new Date('2026-11-20T11:00:00.273Z'),
};
const withHistory: DapServerOptions = { firstCommitAt: new Date(FIRST), tables: tablesOf('reloaded') };

/** The exchanges that the server has by itself, or by a fault; a name that is missing is answered by the fault `reply`. */
const SCENES: Readonly<Record<string, Scene>> = {
  'a token for client credentials': {},
  'wrong credentials, refused with an envelope': {
    prepare: async (_api, request) => ({ ...request, headers: { ...request.headers, authorization: 'Basic eDp5' } }),
  },
  'a malformed token request': { prepare: async (_api, request) => ({ ...request, body: 'grant_type=password' }) },

  'the tables of a namespace': {},
  'an unknown namespace': {},
  'an unknown table': {},
  'the schema of a table, with limits beyond 2^53': {},

  'a snapshot as jsonl is accepted': { options: slow },
  'a snapshot as tsv is accepted': { options: slow },
  'a snapshot as csv is accepted': { options: slow },
  'a snapshot as parquet is accepted': { options: slow },
  'a snapshot with a mode is accepted': { options: slow },
  'a query that was made before and is still running': {
    options: slow,
    prepare: async (api, request) => {
      await api.query('users', request.body as JsonObject);
      api.server.advance(2_000);
      return request;
    },
  },
  'a snapshot that was made before is complete at once': { options: { rowsPerFile: 25 } },
  'an incremental query is accepted': { options: { ...slow, ...withHistory } },
  'an incremental query with an end is accepted': { options: { ...slow, ...withHistory } },
  'an incremental query without changes is complete at once': {
    options: { ...withHistory, isSilent: () => true, whenEmpty: 'no file', boundary: '(since, until]' },
    prepare: async (_api, request) => ({ ...request, body: { format: 'jsonl', since: FIRST } }),
  },
  'a query that has failed before': {
    options: { tables: tablesOf('failing'), faults: [{ route: 'query', table: 'failing', fault: 'failed-job' }] },
  },
  'a range that ends before it begins': { options: withHistory },
  'a range that begins too early': { options: withHistory },
  'a range that ends too late': { options: withHistory },
  'a table that was reloaded': {
    options: withHistory,
    prepare: async (api, request) => {
      api.server.table('canvas', 'reloaded').reload();
      return request;
    },
  },

  waiting: jobAfter(0),
  running: jobAfter(2_000),
  'a complete snapshot': ofJob({ format: 'jsonl' }, { rowsPerFile: 25 }),
  'a complete incremental query': ofJob(
    { format: 'jsonl', since: '2026-01-06T08:15:00.273Z' },
    { whenEmpty: 'no file', boundary: '(since, until]' },
  ),
  'failed, with an empty message': {
    options: { faults: [{ route: 'query', fault: 'failed-job' }] },
    prepare: async (api, request) => ({
      ...request,
      path: `/dap/job/${(await api.query('users', { format: 'jsonl' })).json.id}`,
    }),
  },
  'unknown, or its 24 hours are over': {},

  'the objects of a job': {
    options: { rowsPerFile: 25 },
    prepare: async (api, request) => ({
      ...request,
      body: (await api.query('users', { format: 'jsonl' })).json.objects!,
    }),
  },
  'no objects': {},
  'objects that are gone': {},

  'an expired URL': {
    prepare: async (api, request) => {
      const path = await storedPath(api);
      api.server.advance(16 * 60_000);
      return { ...request, path };
    },
  },
  'a request that carries Authorization': {
    prepare: async (api, request) => ({ ...request, path: await storedPath(api) }),
  },
  'an object that is gone': {
    prepare: async (api, request) => ({ ...request, path: (await storedPath(api)).replace('/part-', '/other-') }),
  },

  'the vendor’s client asks for a token': {},
  'the vendor’s client lists tables': {},
  'the vendor’s client starts a snapshot': { options: slow },
  'the vendor’s client looks at a job': ofJob({ format: 'jsonl' }),
  'the vendor’s client trades an object': {
    prepare: async (api, request) => {
      const { objects } = (await api.query('users', { format: 'jsonl' })).json;
      return { ...request, bodyText: JSON.stringify(objects) };
    },
  },
  'the vendor’s client starts an incremental query': { options: { ...slow, ...recordedAt } },
  'the vendor’s client looks at an incremental job': ofJob({ format: 'csv', since: FIRST_COMMIT, until: FIRST_COMMIT }),
  'the vendor’s client asks for a table that is not there': {},
  'the vendor’s client begins too early': { options: recordedAt },

  'processing error as 400': fault('tables', 'no-data-yet'),
  'token refused': fault('tables', 'unauthorized'),
  'AccountDisabled as 403': fault('tables', 'account-disabled'),
  'AccountNotOnboarded as 403': fault('tables', 'account-not-onboarded'),
  'AccountUnderMaintenance as 403': fault('tables', 'account-under-maintenance'),
  'RequestTypeForbidden as 403': fault('tables', 'request-type-forbidden'),
  'too many requests without Retry-After': fault('tables', 'rate-limited'),
  'too many requests': { options: { faults: [{ route: 'tables', fault: 'rate-limited', retryAfter: 17 }] } },
  'internal error': fault('tables', 'internal-error'),
  'gateway timeout': fault('tables', 'gateway-timeout'),
  'not found': {
    options: { tables: [] },
  },
};

async function storedPath(api: DapApi): Promise<string> {
  const { json } = await api.query('users', { format: 'jsonl' });
  const [{ id } = { id: '' }] = json.objects as { id: string }[];
  const { pathname, search } = new URL(await api.url(id));
  return pathname + search;
}

/** Sends the exchange's request to a server in the state of the scene, with credentials that are right there. */
async function answered(exchange: Exchange, scene: Scene | undefined): Promise<Answer> {
  const told = scene ? [] : replyAsTold(exchange.reply);
  await using api = await startDapApi({ ...scene?.options, faults: scene?.options?.faults ?? [] });
  const isLogin = exchange.request.path.startsWith('/ids');
  const isStorage = exchange.request.path.startsWith('/_storage');
  const right = isLogin ? api.basic() : isStorage ? {} : { authorization: `Bearer ${await api.token()}` };
  api.server.faults.add(...told);
  const request = (await scene?.prepare?.(api, exchange.request)) ?? exchange.request;
  const isChanged = request.headers?.authorization !== exchange.request.headers?.authorization;
  const search = new URLSearchParams(request.query).toString();
  const body = textOf(request);
  return await api.send(request.method, request.path + (search === '' ? '' : `?${search}`), {
    headers: { ...request.headers, ...(isChanged ? {} : right) },
    ...(body === undefined ? {} : { body }),
  });
}

function replyAsTold({ status, headers, body = '', bodyText }: Exchange['reply']): FaultRule[] {
  const type: Record<string, string> = bodyText === undefined ? {} : { 'content-type': 'application/json' };
  return ROUTES.map((route) => ({
    route,
    fault: 'reply',
    status,
    headers: { ...type, ...headers },
    body: bodyText ?? body,
  }));
}

function textOf({ body, bodyText }: Exchange['request']): string | undefined {
  if (bodyText !== undefined || body === undefined || body === null) return bodyText;
  return typeof body === 'string' ? body : JSON.stringify(body);
}

const ROUTES = ['login', 'tables', 'schema', 'query', 'job', 'urls', 'download'] as const;

/** Members that a reply may have or lack, and those whose values are the same wherever they come from. */
const OPTIONAL = new Set(['expires_at', 'until']);
const LITERAL = new Set(['type', 'status', 'kind', 'token_type']);

/** Complaints about what is not in the shape of the reply: members, their types, and the words that have a meaning. */
function differences(given: JsonValue, expected: JsonValue, path = ''): string[] {
  if (Array.isArray(expected)) {
    if (!Array.isArray(given)) return [`${path} is no array`];
    if ((given.length === 0) !== (expected.length === 0)) return [`${path} has ${given.length} items`];
    return given.flatMap((item, index) => differences(item, expected[0]!, `${path}[${index}]`));
  }
  if (isObject(expected)) {
    if (!isObject(given)) return [`${path} is no object`];
    if (path === '.urls') return differences(Object.values(given), Object.values(expected), `${path}.*`);
    if (path === '.schema') return given.type === 'object' ? [] : [`${path} is no schema`];
    const names = new Set([...Object.keys(given), ...Object.keys(expected)]);
    return [...names].flatMap((name) => {
      if (!(name in given) || !(name in expected))
        return OPTIONAL.has(name) ? [] : [`${path}.${name} is on one side only`];
      return LITERAL.has(name) && given[name] !== expected[name]
        ? [`${path}.${name} is ${JSON.stringify(given[name])}, not ${JSON.stringify(expected[name])}`]
        : differences(given[name] as JsonValue, expected[name] as JsonValue, `${path}.${name}`);
    });
  }
  return typeof given === typeof expected ? [] : [`${path} is a ${typeof given}, not a ${typeof expected}`];
}

const FILES = [
  'token.json',
  'tables.json',
  'schema.json',
  'start.json',
  'job.json',
  'urls.json',
  'errors.json',
  'recorded.json',
  'storage.json',
];

describe.each(FILES)('the server answers as in %s', (file) => {
  it.each(exchanges(file).map((exchange) => [exchange.name, exchange] as const))('%s', async (name, exchange) => {
    const scene = Object.hasOwn(SCENES, name) ? SCENES[name] : undefined;

    const { status, headers, text } = await answered(exchange, scene);

    const { reply } = exchange;
    expect(status).toBe(reply.status);
    const isText = typeof reply.body === 'string';
    const [type] = (headers.get('content-type') ?? '').split(';');
    expect(type).toBe((reply.headers?.['content-type'] ?? (isText ? type : 'application/json'))?.split(';')[0]);
    if (!scene) expect(text).toBe(reply.bodyText ?? (isText ? reply.body : JSON.stringify(reply.body)));
    else if (isText) expect(/<Code>(\w+)/.exec(text)?.[1]).toBe(/<Code>(\w+)/.exec(String(reply.body))?.[1]);
    else {
      const expected = reply.body ?? (JSON.parse(reply.bodyText!) as JsonValue);
      expect(differences(JSON.parse(text) as JsonValue, expected)).toEqual([]);
    }
  });
});
