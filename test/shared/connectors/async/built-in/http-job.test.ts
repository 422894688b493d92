import { describe, expect, it } from 'vitest';
import type { Resource } from '../../../../../shared/connectors/async/async-connector.ts';
import { HttpJobConnector } from '../../../../../shared/connectors/async/built-in/http/http-job.ts';
import type { JsonObject } from '../../../../../shared/core/json.ts';
import { type Answer, type Asked, aContext, aRequest, failure, kept, serve, TOKEN } from './harness.ts';

const SECRET = 'canary-secret-token';
const connector = new HttpJobConnector({ sleep: async () => {}, random: () => 0 });

const BEARER = { type: 'bearer', secret: 'token' };
const CUSTOM: JsonObject = {
  create: { url: '/v1/jobs', tokenHeader: 'Idempotency-Key', body: { sql: '{{.inputs.sql}}' }, id: '$.job.id' },
  get: {
    url: '/v1/jobs/{{.jobId}}',
    state: '$.state',
    states: { Warming: 'INITIALIZING', WAITS: 'WAITING_FOR_RESOURCES', gone: 'ABORTED', flaky: 'RETRYABLE_FAILED' },
    message: '$.error.text',
    errorCode: '$.error.code',
    outputs: { rows: '$.result.rows', where: '$.result.url' },
  },
  delete: { url: '/v1/jobs/{{.jobId}}' },
  auth: BEARER,
};

/** A service of jobs: one for each token, in the state a test says. */
async function jobService(state: () => Answer = () => ({ json: { state: 'running' } })) {
  const jobs = new Map<string, string>();
  const server = await serve(({ method, headers, path }) => {
    if (headers.authorization !== `Bearer ${SECRET}`) return { status: 401, json: { message: 'who are you?' } };
    if (method === 'DELETE') return { status: 204 };
    if (method === 'GET') return state();
    const token = String(headers['idempotency-key'] ?? jobs.size);
    jobs.set(token, jobs.get(token) ?? `job ${jobs.size + 1}/x`);
    return { status: 201, json: { job: { id: jobs.get(token)! } }, headers: { 'x-path': path } };
  });
  const context = aContext({ secrets: { token: SECRET }, configs: { baseUrl: server.url } });
  return { ...server, jobs, context };
}

const create = (custom: JsonObject, context = aContext(), inputs: JsonObject = { sql: 'select 1' }) =>
  connector.create(aRequest('http.job', custom, { inputs }), context);

/** What `get` answers when the service says so. */
async function looked(answer: Answer, custom = CUSTOM): Promise<Resource & { warnings: string[] }> {
  const { context } = await jobService(() => answer);
  const handle = kept(connector, await create(custom, context), [SECRET]);
  return { ...(await connector.get(handle, context)), warnings: context.warnings };
}

describe('http.job, create', () => {
  it('sends the template filled in, with token and credential, and keeps no secret', async () => {
    const { asked, context } = await jobService();

    const handle = kept(connector, await create(CUSTOM, context, { sql: "select 'ä'" }), [SECRET]);

    expect(asked[0]).toMatchObject({ method: 'POST', path: '/v1/jobs', body: '{"sql":"select \'ä\'"}' });
    expect(asked[0]?.headers).toMatchObject({ 'idempotency-key': TOKEN, 'content-type': 'application/json' });
    expect(handle.jobId).toBe('job 1/x');
    await connector.get(handle, context);
    expect(asked[1]?.path).toBe('/v1/jobs/job%201%2Fx');
  });

  it('makes one job of two calls with one token', async () => {
    const { jobs, context } = await jobService();

    const first = await create(CUSTOM, context);
    const second = await create(CUSTOM, context);

    expect(second).toEqual(first);
    expect(jobs.size).toBe(1);
  });

  it('puts the token into a member of the body, and bodies into forms', async () => {
    const { asked, context } = await jobService();
    const body = { text: 'a&b', list: [1, 2] };

    await create(
      { ...CUSTOM, create: { url: '/v1/jobs', form: true, body, tokenField: 'client_token', id: '$.job.id' } },
      context,
    );

    expect(asked[0]?.headers['content-type']).toBe('application/x-www-form-urlencoded');
    expect(Object.fromEntries(new URLSearchParams(asked[0]?.body))).toEqual({
      text: 'a&b',
      list: '[1,2]',
      client_token: TOKEN,
    });
  });

  it('leaves the type of the body to the template', async () => {
    const { asked, context } = await jobService();
    const headers = { 'Content-Type': 'application/vnd.api+json' };

    await create({ ...CUSTOM, create: { ...(CUSTOM.create as JsonObject), headers } }, context);

    expect(asked[0]?.headers['content-type']).toBe('application/vnd.api+json');
  });

  it('takes 409 to a PUT named by the token for the job it made before', async () => {
    const { url, asked } = await serve(() => ({ status: 409, json: { error: 'exists' } }));
    const custom = { ...CUSTOM, create: { url: '/jobs/{{.token}}', method: 'PUT', id: '{{.token}}' } };

    const handle = await create(custom, aContext({ secrets: { token: SECRET }, configs: { baseUrl: url } }));

    expect(handle.jobId).toBe(TOKEN);
    expect(asked[0]).toMatchObject({ method: 'PUT', path: `/jobs/${TOKEN}` });
  });

  it('sends a POST once, and follows no redirect of it', async () => {
    const { url, asked } = await serve(({ path }) =>
      path === '/once' ? { hangUp: true } : { status: 307, headers: { location: '/elsewhere' } },
    );
    const custom = (path: string): JsonObject => ({
      create: { url: `${url}${path}`, id: '$.id' },
      get: { url: `${url}/x`, state: '$.s' },
    });

    expect(await failure(create(custom('/once')))).toMatchObject({ code: 'Unavailable', retryable: true });
    expect(await failure(create(custom('/moved')))).toMatchObject({ code: 'HttpRefused', retryable: false });

    expect(asked.map(({ path }) => path)).toEqual(['/once', '/moved']);
  });

  it.each<[string, JsonObject]>([
    ['an unknown setting', { ...CUSTOM, colour: 'red' }],
    ['no place for the state', { ...CUSTOM, get: { url: '/x' } }],
    ['a path that is none', { ...CUSTOM, get: { url: '/x', state: 'state' } }],
    ['a phase that is none', { ...CUSTOM, get: { url: '/x', state: '$.s', states: { a: 'DONE' } } }],
    ['the phase that stands for none', { ...CUSTOM, get: { url: '/x', state: '$.s', states: { a: 'UNDEFINED' } } }],
    ['an input that is not there', { ...CUSTOM, get: { url: '/{{.inputs.nope}}', state: '$.s' } }],
    ['a cancel URL of another scheme', { ...CUSTOM, delete: { url: 'file:///etc/passwd' } }],
    ['a header that cannot be sent', { ...CUSTOM, create: { url: '/', id: '$.id', headers: { a: 'x\r\ny: z' } } }],
    ['a header of the connection itself', { ...CUSTOM, create: { url: '/', id: '$.id', headers: { Host: 'x' } } }],
    [
      'more than a handle may hold',
      {
        ...CUSTOM,
        get: {
          url: `/${'x'.repeat(8000)}`,
          state: '$.s',
          outputs: Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`output-${n}`, `$.${'y'.repeat(60)}`])),
        },
      },
    ],
    ['an id field in no object', { ...CUSTOM, create: { url: '/', id: '$.id', body: [1], tokenField: 'token' } }],
    [
      'a metadata service',
      { create: { url: 'http://169.254.169.254/latest', id: '$.id' }, get: { url: 'http://a.test/', state: '$.s' } },
    ],
    [
      'a metadata service in decimal',
      { create: { url: 'http://2852039166/', id: '$.id' }, get: { url: 'http://a.test/', state: '$.s' } },
    ],
  ])('refuses %s before anything is sent', async (_name, custom) => {
    const { asked, context } = await jobService();

    expect(await failure(create(custom, context))).toMatchObject({ code: 'BadTaskSpecification', retryable: false });

    expect(asked).toEqual([]);
  });

  it('refuses a private address where the deployment says so', async () => {
    const { url } = await serve(() => ({}));
    const strict = new HttpJobConnector({ refusePrivateAddresses: true });
    const custom = { create: { url, id: '$.id' }, get: { url, state: '$.s' } };

    const error = await failure(strict.create(aRequest('http.job', custom), aContext()));

    expect(error).toMatchObject({ code: 'BadTaskSpecification' });
    expect(error.message).toMatch(/private network/);
  });

  it.each<[string, Answer]>([
    ['no id', { json: { job: {} } }],
    ['an id that steps up', { json: { job: { id: '..' } } }],
    ['an id with a line end', { json: { job: { id: 'a\nb' } } }],
    ['an id without end', { json: { job: { id: 'x'.repeat(1025) } } }],
    ['what is not JSON', { text: '<html>' }],
    ['more than 1 MiB', { text: `{"job":{"id":"a"},"x":"${'x'.repeat(1024 * 1024)}"}` }],
  ])('does not guess if the service answers %s', async (_name, answer) => {
    const { url } = await serve(() => answer);
    const context = aContext({ secrets: { token: SECRET }, configs: { baseUrl: url } });

    expect(await failure(create(CUSTOM, context))).toMatchObject({
      code: 'BadReply',
      retryable: false,
      origin: 'service',
    });
  });

  it('reads JSON with a byte order mark', async () => {
    const { url } = await serve(() => ({ text: '\uFEFF{"job":{"id":"j"}}' }));
    const context = aContext({ secrets: { token: SECRET }, configs: { baseUrl: url } });

    expect((await create(CUSTOM, context)).jobId).toBe('j');
  });

  it('keeps an id of 64 bits exactly', async () => {
    const { url } = await serve(() => ({ text: '{"job":{"id":9007199254740993}}' }));
    const context = aContext({ secrets: { token: SECRET }, configs: { baseUrl: url } });

    expect((await create(CUSTOM, context)).jobId).toBe('9007199254740993');
  });
});

describe('http.job, credentials', () => {
  it.each<[string, JsonObject, string, string]>([
    ['bearer', BEARER, 'authorization', `Bearer ${SECRET}`],
    ['basic', { type: 'basic', user: 'login', secret: 'token' }, 'authorization', `Basic ${btoa(`me:${SECRET}`)}`],
    ['header', { type: 'header', header: 'X-Api-Key', secret: 'token' }, 'x-api-key', SECRET],
  ])('%s', async (_name, auth, header, value) => {
    const { url, asked } = await serve(() => ({ json: { job: { id: '1' } } }));
    const context = aContext({ secrets: { token: SECRET }, configs: { baseUrl: url, login: 'me' } });

    kept(connector, await create({ ...CUSTOM, auth }, context), [SECRET]);

    expect(asked[0]?.headers[header]).toBe(value);
  });

  it.each(['create', 'get', 'delete'] as const)(
    'never go to an origin that the connection does not name, as of %s',
    async (call) => {
      const { asked, context } = await jobService();
      const other = await serve(() => ({ json: { job: { id: '1' }, state: 'done' } }));
      const part = { ...(CUSTOM[call] as JsonObject), url: `${other.url}/x` };

      const error = await failure(create({ ...CUSTOM, [call]: part }, context));

      expect(error).toMatchObject({ code: 'BadTaskSpecification' });
      expect(error.message).toContain("the connection's secrets may not go to");
      expect([...asked, ...other.asked]).toEqual([]);
    },
  );

  it('never go where a forged handle points', async () => {
    const { context } = await jobService();
    const other = await serve(() => ({ json: { state: 'done' } }));
    const handle = kept(connector, await create(CUSTOM, context));

    const forged = kept(connector, {
      ...handle,
      url: other.url,
      cancel: { method: 'POST', url: other.url, headers: {} },
    });

    expect(await failure(connector.get(forged, context))).toMatchObject({ code: 'BadTaskSpecification' });
    expect(await failure(connector.delete(forged, context))).toMatchObject({ code: 'BadTaskSpecification' });
    expect(other.asked).toEqual([]);
  });

  it('do not follow a redirect to another origin', async () => {
    const other = await serve(() => ({ json: { state: 'done' } }));
    const { context } = await jobService(() => ({ status: 302, headers: { location: `${other.url}/x` } }));
    const handle = await create(CUSTOM, context);

    await connector.get(handle, context);

    expect(other.asked[0]?.headers.authorization).toBeUndefined();
  });

  it('may go to further origins that the connection names', async () => {
    const { url, context } = await jobService();
    const configs = { baseUrl: 'https://elsewhere.test', origins: `https://a.test, ${url}/any/path` };
    const part = (name: string) => ({ ...(CUSTOM[name] as JsonObject), url: `${url}/v1/jobs` });
    const custom = { ...CUSTOM, create: part('create'), get: part('get'), delete: part('delete') };

    expect((await create(custom, { ...context, connection: { ...context.connection, configs } })).jobId).toBe(
      'job 1/x',
    );
  });

  it.each<[string, Record<string, string>]>([
    ['missing', {}],
    ['empty', { token: '' }],
  ])('that are %s are told by name', async (_name, secrets) => {
    const { url } = await jobService();

    const error = await failure(create(CUSTOM, aContext({ secrets, configs: { baseUrl: url } })));

    expect(error).toMatchObject({ code: 'Unauthenticated' });
    expect(error.message).toContain('"token"');
  });

  it('are taken out of what a service repeats', async () => {
    const echo = ({ headers }: Asked): Answer => ({ status: 400, json: { message: `bad ${headers.authorization}` } });
    const { url } = await serve(echo);

    const error = await failure(create(CUSTOM, aContext({ secrets: { token: SECRET }, configs: { baseUrl: url } })));

    expect(error.message).toContain('bad Bearer [redacted]');
    expect(String(error.stack)).not.toContain(SECRET);
  });
});

describe('http.job, get', () => {
  it.each([
    ['failed', 'FAILED'],
    ['timeout', 'FAILED'],
    ['timedout', 'FAILED'],
    ['canceled', 'FAILED'],
    ['cancelled', 'FAILED'],
    ['skipped', 'FAILED'],
    ['internal_error', 'RETRYABLE_FAILED'],
    ['done', 'SUCCEEDED'],
    ['succeeded', 'SUCCEEDED'],
    ['SUCCESS', 'SUCCEEDED'],
    ['Completed', 'SUCCEEDED'],
    ['running', 'RUNNING'],
    ['terminating', 'RUNNING'],
    ['pending', 'INITIALIZING'],
    ['warming', 'INITIALIZING'],
    ['waits', 'WAITING_FOR_RESOURCES'],
    ['GONE', 'ABORTED'],
    ['flaky', 'RETRYABLE_FAILED'],
  ])('%s is %s', async (state, phase) => {
    expect((await looked({ json: { state } })).phase).toBe(phase);
  });

  it.each([['Levitating'], ['__proto__'], ['constructor']])(
    '%s, which it does not know, goes on and is counted',
    async (state) => {
      const resource = await looked({ json: { state } });

      expect(resource).toMatchObject({ phase: 'RUNNING', message: `unrecognised state ${state}` });
      expect(resource.warnings[0]).toContain('unknown_external_state');
    },
  );

  it('no state at all goes on as well', async () => {
    expect(await looked({ json: {} })).toMatchObject({ phase: 'RUNNING', message: 'unrecognised state none' });
  });

  it('looks again when the service says', async () => {
    const resource = await looked({ json: { state: 'running' }, headers: { 'retry-after': '90' } });

    expect(resource.pollAfterMs).toBe(90_000);
  });

  it('tells outputs, those that are there', async () => {
    const resource = await looked({ json: { state: 'done', result: { rows: 0 } } });

    expect(resource.outputs).toEqual({ rows: 0 });
  });

  it('tells why a job failed', async () => {
    const resource = await looked({ json: { state: 'failed', error: { text: `no table (${SECRET})`, code: 42 } } });

    expect(resource).toMatchObject({
      phase: 'FAILED',
      message: 'no table ([redacted])',
      error: { code: '42', origin: 'service' },
    });
  });

  it('takes statuses for states', async () => {
    const statuses = { 202: 'RUNNING', 200: 'SUCCEEDED', 422: 'FAILED' };
    const get = { url: '/v1/jobs/{{.jobId}}', statuses, message: '$.message', outputs: { rows: '$.rows' } };
    const custom = { ...CUSTOM, get };

    expect((await looked({ status: 202 }, custom)).phase).toBe('RUNNING');
    expect(await looked({ status: 422, json: { message: 'no' } }, custom)).toMatchObject({
      phase: 'FAILED',
      message: 'no',
    });
    expect(await looked({ json: { rows: 3 } }, custom)).toMatchObject({ phase: 'SUCCEEDED', outputs: { rows: 3 } });
  });

  it.each([
    [401, 'Unauthenticated', false],
    [403, 'PermissionDenied', false],
    [404, 'ResourceGone', false],
    [410, 'ResourceGone', false],
    [400, 'HttpRefused', false],
    [408, 'Unavailable', true],
    [429, 'Throttled', true],
    [500, 'Unavailable', true],
    [503, 'Unavailable', true],
    [501, 'HttpRefused', false],
  ])('%i is %s', async (status, code, retryable) => {
    const error = await failure(
      looked({ status, headers: { 'retry-after': '7' }, json: { error: { message: 'so' } } }),
    );

    expect(error).toMatchObject({ code, retryable, retryAfterMs: 7000 });
    expect(error.message).toMatch(new RegExp(`GET http://.*/v1/jobs/job%201%2Fx was answered ${status}: so`));
  });

  it('is tried again if the answer is not JSON', async () => {
    expect(await failure(looked({ text: '<html>' }))).toMatchObject({ code: 'BadReply', retryable: true });
  });

  it('ends with the caller', async () => {
    const { context } = await jobService();
    const handle = await create(CUSTOM, context);
    const reason = new Error('the time is up');

    await expect(connector.get(handle, { ...context, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe('http.job, delete', () => {
  const cancelled = async (answer: Answer, state: string, custom = CUSTOM) => {
    const { url, asked } = await serve(({ method }) =>
      method === 'GET' ? { json: { state } } : method === 'DELETE' ? answer : { json: { job: { id: '1' } } },
    );
    const context = aContext({ secrets: { token: SECRET }, configs: { baseUrl: url } });
    const handle = await create(custom, context);
    asked.length = 0;
    await connector.delete(handle, context);
    await connector.delete(handle, context);
    return asked;
  };

  it('asks for the stop, as often as it is called', async () => {
    const asked = await cancelled({ status: 202 }, 'running');

    expect(asked.map(({ method, path }) => `${method} ${path}`)).toEqual(['DELETE /v1/jobs/1', 'DELETE /v1/jobs/1']);
  });

  it.each([404, 410])('is content with %i', async (status) => {
    expect(await cancelled({ status }, 'running')).toHaveLength(2);
  });

  it.each([400, 409, 422])('is content with %i if the job has ended', async (status) => {
    const asked = await cancelled({ status }, 'done');

    expect(asked.map(({ method }) => method)).toEqual(['DELETE', 'GET', 'DELETE', 'GET']);
  });

  it.each([
    [409, 'HttpRefused', false],
    [403, 'PermissionDenied', false],
    [401, 'Unauthenticated', false],
    [503, 'Unavailable', true],
  ])('fails with %i if the job may go on', async (status, code, retryable) => {
    expect(await failure(cancelled({ status }, 'running'))).toMatchObject({ code, retryable });
  });

  it('sends what the template says', async () => {
    const { url, asked } = await serve(({ method }) => ({ json: method === 'GET' ? {} : { job: { id: 7 } } }));
    const context = aContext({ secrets: { token: SECRET }, configs: { baseUrl: url } });
    const custom = { ...CUSTOM, delete: { url: '/cancel', method: 'POST', body: { job: '{{.jobId}}' } } };

    await connector.delete(kept(connector, await create(custom, context)), context);

    expect(asked[1]).toMatchObject({ method: 'POST', path: '/cancel', body: '{"job":"7"}' });
  });

  it('says that a job which runs cannot be stopped if the template does not say how', async () => {
    const { delete: _none, ...custom } = CUSTOM;

    expect(await failure(cancelled({}, 'running', custom))).toMatchObject({
      code: 'CancelNotSupported',
      retryable: false,
    });
    expect(await cancelled({}, 'failed', custom)).toHaveLength(2);
  });
});

describe('http.job, isIdempotentFor', () => {
  const create = { url: '/jobs', id: '$.id' };

  it.each<[boolean, string, JsonObject]>([
    [true, 'a token header', { ...create, tokenHeader: 'x-token' }],
    [true, 'a token field', { ...create, tokenField: 'token', body: {} }],
    [true, 'a PUT named by the token', { url: '/jobs/{{.token}}', method: 'PUT', id: '{{.token}}' }],
    [false, 'a POST to such a name', { url: '/jobs/{{.token}}', id: '{{.token}}' }],
    [false, 'a PUT of another name', { ...create, method: 'PUT' }],
    [false, 'a label that holds the token', { ...create, body: { label: '{{.token}}' } }],
    [false, 'settings that are wrong', { ...create, tokenHeader: 7 }],
  ])('is %s with %s', (expected, _name, settings) => {
    expect(connector.isIdempotentFor({ type: 'http.job', custom: { ...CUSTOM, create: settings } })).toBe(expected);
  });
});

describe('http.job, findByToken', () => {
  const find = (custom: JsonObject, context: ReturnType<typeof aContext>) =>
    connector.findByToken(TOKEN, aRequest('http.job', custom, { inputs: { sql: 's' } }), context);

  it('looks into the list of jobs', async () => {
    const { url, asked } = await serve(() => ({ json: { jobs: [{ id: 1, tag: 'x' }, { id: 2, tag: TOKEN }, null] } }));
    const context = aContext({ secrets: { token: SECRET }, configs: { baseUrl: url } });
    const custom = {
      ...CUSTOM,
      create: { url: '/v1/jobs', body: { tag: '{{.token}}' }, id: '$.job.id' },
      find: { url: '/v1/jobs?tag={{.token}}', items: '$.jobs', token: '$.tag', id: '$.id' },
    };

    expect(await find(custom, context)).toMatchObject({ jobId: '2' });
    expect(asked).toMatchObject([{ method: 'GET', path: `/v1/jobs?tag=${TOKEN}` }]);
  });

  it('finds nothing where the template does not say how', async () => {
    const { context, asked } = await jobService();

    expect(await find({ ...CUSTOM, create: { url: '/v1/jobs', id: '$.job.id' } }, context)).toBeUndefined();
    expect(asked).toEqual([]);
  });
});

describe('http.job, handles', () => {
  it.each([
    ['not an object', '[]'],
    ['nothing', '{}'],
    ['no JSON', '{'],
    ['a path that is none', '{"jobId":"1","url":"http://a.test/","headers":{},"read":{"state":"x"}}'],
    [
      'a method that is none',
      '{"jobId":"1","url":"http://a.test/","headers":{},"read":{"state":"$.s"},"cancel":{"method":"TRACE","url":"http://a.test/","headers":{}}}',
    ],
  ])('refuses %s', (_name, text) => {
    expect(() => connector.metadataType.decode(new TextEncoder().encode(text))).toThrow();
  });

  it('ignores members it does not know', () => {
    const text = '{"jobId":"1","url":"http://a.test/","headers":{},"read":{"state":"$.s"},"new":1}';

    expect(connector.metadataType.decode(new TextEncoder().encode(text))).toMatchObject({ jobId: '1' });
  });
});
