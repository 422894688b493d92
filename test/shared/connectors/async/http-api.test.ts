import { describe, expect, it } from 'vitest';
import { ConnectorError } from '../../../../shared/connectors/async/errors.ts';
import { type HttpRequest, httpApi } from '../../../../shared/connectors/async/http-api.ts';
import { idempotencyToken } from '../../../../shared/connectors/async/idempotency-token.ts';
import { DeadlineError } from '../../../../shared/core/deadline.ts';
import { FakeConnector, type ServiceWorldOptions, serviceWorld, TOKEN } from '../../../support/fake-connector.ts';

const ID = 'job-1';
const META = Buffer.from(JSON.stringify({ id: ID })).toString('base64url');
const META_BASE64 = Buffer.from(JSON.stringify({ id: ID })).toString('base64');
/** Its base64 has each of the characters in which the alphabets differ, and padding. */
const ODD_ID = '~~?>ÿÿ😀a';
const ODD = Buffer.from(JSON.stringify({ id: ODD_ID }));

const METRICS = {
  results: [
    { metric: 'CPU', data: { resultType: 'matrix', result: [{ metric: { pod_name: 'a' }, values: [[1, '2']] }] } },
  ],
};

function world(options: ServiceWorldOptions = {}) {
  const made = serviceWorld(options);
  const { service, connector } = made;
  const queries: unknown[] = [];
  Object.assign(connector, {
    getMetrics: async (_meta: unknown, query: unknown) => {
      queries.push(query);
      return METRICS;
    },
    getLogs: async (_meta: unknown, query: unknown) => {
      queries.push(query);
      return { lines: [{ message: 'a\n', timestamp: '2026-01-01T00:00:00Z', originator: 'USER' }], nextToken: 'next' };
    },
  });
  const errors: unknown[] = [];
  const api = httpApi({ service, newId: () => 'random', onError: (error) => void errors.push(error) });
  const ask = async (
    method: string,
    path: string,
    more: Omit<HttpRequest, 'method' | 'path' | 'body'> & { body?: unknown } = {},
  ) => {
    const { body, ...rest } = more;
    const [plain, query = ''] = path.split('?');
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await api({ method, path: plain!, query, ...rest, ...(text === undefined ? {} : { body: text }) });
    const lines = answer.body.trimEnd().split('\n');
    return { ...answer, json: JSON.parse(lines[0]!), lines: lines.map((line) => JSON.parse(line)) };
  };
  return { ...made, api, ask, queries, errors };
}

const GENERATIONS = ['connector', 'agent'] as const;
const CREATE = { template: { type: 'fake' }, outputPrefix: 's3://b/run' };

describe.each(GENERATIONS)('the paths of /api/v1/%s', (generation) => {
  const base = `/api/v1/${generation}`;

  it('CreateTask: POST task', async () => {
    const { ask, connector } = world();

    const { status, json, headers } = await ask('POST', `${base}/task`, { body: CREATE });

    expect({ status, json }).toEqual({ status: 200, json: { resourceMeta: META_BASE64 } });
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' });
    expect(connector.calls).toEqual(['create']);
  });

  it('GetTask: GET task/{name}/{version}/{meta}', async () => {
    const { ask, connector } = world();

    const { status, json } = await ask('GET', `${base}/task/fake/0/${META}`);

    expect({ status, json }).toEqual({ status: 200, json: { resource: { phase: 'RUNNING' } } });
    expect(connector.asked[0]?.args).toEqual([{ id: ID }]);
  });

  it('DeleteTask: DELETE task_executions/{name}/{version}/{meta}', async () => {
    const { ask, connector } = world();

    expect(await ask('DELETE', `${base}/task_executions/fake/0/${META}`)).toMatchObject({ status: 200, json: {} });
    expect(connector.asked[0]).toMatchObject({ call: 'delete', args: [{ id: ID }] });
  });

  it('GetTaskMetrics: GET task/metrics/{name}/{version}/{meta}', async () => {
    const { ask, queries } = world();
    const query = 'queries=CPU&queries=MEM&start_time=2026-01-01T00:00:00Z&end_time=2026-01-01T01:00:00Z&step=10s';

    expect(await ask('GET', `${base}/task/metrics/fake/0/${META}?${query}`)).toMatchObject({
      status: 200,
      json: METRICS,
    });
    expect(queries).toEqual([
      {
        queries: ['CPU', 'MEM'],
        startTime: new Date('2026-01-01T00:00:00Z'),
        endTime: new Date('2026-01-01T01:00:00Z'),
        stepSeconds: 10,
      },
    ]);
  });

  it('GetTaskLogs: GET task/logs/{name}/{version}/{meta}, a sequence of objects', async () => {
    const { ask, queries } = world();

    const { status, lines } = await ask('GET', `${base}/task/logs/fake/0/${META}?lines=50&token=t`);

    expect(status).toBe(200);
    expect(lines).toEqual([
      { result: { body: { lines: [{ timestamp: '2026-01-01T00:00:00Z', message: 'a\n', originator: 'USER' }] } } },
      { result: { header: { token: 'next' } } },
    ]);
    expect(queries).toEqual([{ lines: 50, token: 't' }]);
  });

  it('GetConnector: GET {name}', async () => {
    const { ask } = world();
    const own = generation === 'agent' ? { isSync: false } : {};

    expect(await ask('GET', `${base}/Fake`)).toMatchObject({
      status: 200,
      json: { [generation]: { name: 'Fake', supportedTaskCategories: [{ name: 'fake', version: 0 }], ...own } },
    });
  });

  it('ListConnectors: GET', async () => {
    const { ask } = world({ connectors: [new FakeConnector('b'), new FakeConnector('a', 2)] });

    const { status, json } = await ask('GET', `${base}s`);

    expect(status).toBe(200);
    expect(json[`${generation}s`]).toMatchObject([
      {
        name: 'Fake',
        supportedTaskCategories: [
          { name: 'a', version: 2 },
          { name: 'b', version: 0 },
        ],
      },
    ]);
  });

  it.each(['get', 'delete', 'metrics', 'logs'])('POST task:%s, with the message as the body', async (form) => {
    const { ask, connector } = world();
    const body = { taskCategory: { name: 'fake', version: 0 }, resourceMeta: META_BASE64, outputPrefix: 's3://b/run' };

    const { status } = await ask('POST', `${base}/task:${form}`, { body });

    expect(status).toBe(200);
    if (form === 'get' || form === 'delete') {
      expect(connector.asked[0]).toMatchObject({
        call: form,
        args: [{ id: ID }],
        context: { outputPrefix: 's3://b/run' },
      });
    }
  });
});

describe('names', () => {
  const snake = {
    template: {
      type: 'fake',
      task_type_version: 0,
      metadata: { poll_max_seconds: 5 },
      interface: { inputs: { dayCount: 'integer' } },
    },
    output_prefix: 's3://b/run',
    task_execution_metadata: {
      task_execution_id: 'e1',
      k8s_service_account: 'sa',
      environment_variables: { MY_VAR: '1' },
    },
    inputs: { dayCount: '3' },
  };
  const camel = {
    template: {
      type: 'fake',
      taskTypeVersion: 0,
      metadata: { pollMaxSeconds: 5 },
      interface: { inputs: { dayCount: 'integer' } },
    },
    outputPrefix: 's3://b/run',
    taskExecutionMetadata: { taskExecutionId: 'e1', k8sServiceAccount: 'sa', environmentVariables: { MY_VAR: '1' } },
    inputs: { dayCount: '3' },
  };

  it.each([
    ['snake_case', snake],
    ['lowerCamelCase', camel],
  ])('of a message are taken in %s', async (_style, body) => {
    const { ask, connector } = world();
    const { template: taskTemplate, ...rest } = camel;

    expect((await ask('POST', '/api/v1/connector/task', { body })).status).toBe(200);
    expect(connector.asked[0]?.args).toEqual([{ taskTemplate, ...rest, inputs: { dayCount: 3 } }]);
  });

  it.each([
    { task_category: { name: 'fake', version: 0 }, resource_meta: META },
    { taskCategory: { name: 'fake', version: '0' }, resourceMeta: META },
    { task_category: { name: 'fake' }, resource_meta: META },
    { task_type: 'fake', resource_meta: META },
  ])('of a job are taken as %j', async (body) => {
    const { ask } = world();

    expect((await ask('POST', '/api/v1/connector/task:get', { body })).status).toBe(200);
  });

  it.each(['start_time=2026-01-01T00:00:00Z', 'startTime=2026-01-01T00:00:00Z'])(
    'of a query are taken as %s',
    async (query) => {
      const { ask, queries } = world();

      await ask('GET', `/api/v1/connector/task/metrics/fake/0/${META}?${query}`);

      expect(queries).toEqual([{ queries: [], startTime: new Date('2026-01-01T00:00:00Z') }]);
    },
  );

  it('of a reply are lowerCamelCase, or snake_case with ?names=proto, and those of values as they are', async () => {
    const { ask, connector } = world();
    connector.onGet = () => ({
      phase: 'SUCCEEDED',
      outputs: { rowCount: 1, row_count: 2 },
      customInfo: { jobId: 'x', job_id: 'y' },
      logLinks: [
        {
          uri: 'https://l',
          name: 'n',
          messageFormat: 'JSON',
          linkType: 'DASHBOARD',
          iconUri: 'i',
          ttlSeconds: 10,
          ready: true,
          showWhilePending: true,
          hideOnceFinished: false,
        },
      ],
    });
    const path = `/api/v1/connector/task/fake/0/${META}`;

    expect((await ask('GET', path)).json).toEqual({
      resource: {
        phase: 'SUCCEEDED',
        logLinks: [
          {
            uri: 'https://l',
            name: 'n',
            messageFormat: 'JSON',
            linkType: 'DASHBOARD',
            iconUri: 'i',
            ttl: '10s',
            ready: true,
            ShowWhilePending: true,
            HideOnceFinished: false,
          },
        ],
        outputs: { rowCount: 1, row_count: 2 },
        customInfo: { jobId: 'x', job_id: 'y' },
      },
    });
    expect((await ask('GET', `${path}?names=proto`)).json).toEqual({
      resource: {
        phase: 'SUCCEEDED',
        log_links: [
          {
            uri: 'https://l',
            name: 'n',
            message_format: 'JSON',
            link_type: 'DASHBOARD',
            icon_uri: 'i',
            ttl: '10s',
            ready: true,
            ShowWhilePending: true,
            HideOnceFinished: false,
          },
        ],
        outputs: { rowCount: 1, row_count: 2 },
        custom_info: { jobId: 'x', job_id: 'y' },
      },
    });
    expect((await ask('POST', '/api/v1/connector/task?names=proto', { body: CREATE })).json).toEqual({
      resource_meta: META_BASE64,
    });
    expect((await ask('GET', '/api/v1/connectors?names=proto')).json.connectors[0]).toHaveProperty(
      'supported_task_categories',
    );
  });
});

describe('?schema=flyte', () => {
  const SUCCEEDED = {
    phase: 'SUCCEEDED',
    outputs: { i: 5, f: 0.5, s: 'x', b: true, n: null, l: [1], o: { a: 1 } },
    pollAfterMs: 7,
    error: { code: 'None' },
  };
  const LITERALS = {
    i: { scalar: { primitive: { integer: '5' } } },
    f: { scalar: { primitive: { floatValue: 0.5 } } },
    s: { scalar: { primitive: { stringValue: 'x' } } },
    b: { scalar: { primitive: { boolean: true } } },
    n: { scalar: { noneType: {} } },
    l: { collection: { literals: [{ scalar: { primitive: { integer: '1' } } }] } },
    o: { scalar: { generic: { a: 1 } } },
  };

  it.each([
    ['connector', { literals: Object.entries(LITERALS).map(([name, value]) => ({ name, value })) }],
    ['agent', { literals: LITERALS }],
  ])('on the paths of %s, outputs are literals and nothing is told beside the schema', async (generation, outputs) => {
    const { ask, connector } = world();
    connector.onGet = () => SUCCEEDED;
    const path = `/api/v1/${generation}/task/fake/0/${META}`;

    expect((await ask('GET', `${path}?schema=flyte`)).json).toEqual({ resource: { phase: 'SUCCEEDED', outputs } });
    expect((await ask('GET', path)).json).toEqual({ resource: SUCCEEDED });
  });

  it('the older messages have lines by another name', async () => {
    const { ask } = world();
    const path = `/api/v1/agent/task/logs/fake/0/${META}?schema=flyte`;
    const lines = [{ timestamp: '2026-01-01T00:00:00Z', message: 'a\n', originator: 'USER' }];

    expect((await ask('GET', path)).lines[0]).toEqual({
      result: { body: { results: ['a\n'], structuredLines: lines } },
    });
    expect((await ask('GET', `${path}&names=proto`)).lines[0]).toEqual({
      result: { body: { results: ['a\n'], structured_lines: lines } },
    });
  });
});

describe('encodings', () => {
  const spellings = {
    base64url: ODD.toString('base64url'),
    'base64url with padding': `${ODD.toString('base64url')}${'='.repeat((4 - (ODD.toString('base64url').length % 4)) % 4)}`,
    base64: ODD.toString('base64'),
    'base64 without padding': ODD.toString('base64').replace(/=+$/, ''),
    'base64, percent-encoded': encodeURIComponent(ODD.toString('base64')),
    'base64url, percent-encoded throughout': [...ODD.toString('base64url')]
      .map((one) => `%${one.charCodeAt(0).toString(16)}`)
      .join(''),
  };

  it('the handle of these tests has what tells the alphabets apart', () => {
    expect(spellings.base64).toMatch(/\+.*=$|\/.*=$/);
  });

  it.each(Object.entries(spellings))('a handle in a path may be %s', async (_how, meta) => {
    const { ask, connector } = world();

    expect((await ask('GET', `/api/v1/connector/task/fake/0/${meta}`)).status).toBe(200);
    expect((await ask('GET', `/api/v1/connector/task/metrics/fake/0/${meta}`)).status).toBe(200);
    expect((await ask('DELETE', `/api/v1/agent/task_executions/fake/0/${meta}`)).status).toBe(200);
    expect(connector.asked.map(({ args }) => args[0])).toEqual([{ id: ODD_ID }, { id: ODD_ID }]);
  });

  it.each(['a', '!!!!', 'YQ==x', 'a b'])('"%s" is no handle', async (meta) => {
    const { ask } = world();

    expect(
      (await ask('POST', '/api/v1/connector/task:get', { body: { taskType: 'fake', resourceMeta: meta } })).json,
    ).toMatchObject({
      code: 3,
      details: [{ reason: 'BadTaskSpecification' }],
    });
  });

  it('phases go out by name', async () => {
    const { ask, connector } = world();
    connector.onGet = () => ({ phase: 8 });

    expect((await ask('GET', `/api/v1/connector/task/fake/0/${META}`)).json.resource.phase).toBe('RETRYABLE_FAILED');
  });

  it('64-bit numbers go in as text or number, and 0 is not set', async () => {
    const { ask, queries } = world();
    for (const lines of ['10', '0']) await ask('GET', `/api/v1/connector/task/logs/fake/0/${META}?lines=${lines}`);
    await ask('POST', '/api/v1/connector/task:logs', { body: { taskType: 'fake', resourceMeta: META, lines: 20 } });

    expect(queries).toEqual([{ lines: 10 }, { lines: 1000 }, { lines: 20 }]);
  });

  it('literals go in as plain values', async () => {
    const { ask, connector } = world();
    const inputs = { literals: { day: { scalar: { primitive: { integer: '3' } } } } };

    await ask('POST', '/api/v1/connector/task', { body: { ...CREATE, inputs } });

    expect(connector.asked[0]?.args).toMatchObject([{ inputs: { day: '3' } }]);
  });
});

describe('which path is meant', () => {
  it.each(['metrics', 'logs'])('a task type called "%s" can be asked for', async (type) => {
    const connector = new FakeConnector(type);
    const { ask } = world({ connectors: [connector] });

    expect((await ask('GET', `/api/v1/connector/task/${type}/0/${META}`)).json).toEqual({
      resource: { phase: 'RUNNING' },
    });
    expect((await ask('GET', `/api/v1/connector/task/${type}/${type}/0/${META}`)).status).toBe(501);
    expect(connector.calls).toEqual(['get']);
  });

  it('a connector called "task" can be described, and one with a space', async () => {
    const [one, other] = [
      Object.assign(new FakeConnector('a'), { name: 'task' }),
      Object.assign(new FakeConnector('b'), { name: 'My Own/One' }),
    ];
    const { ask } = world({ connectors: [one, other] });

    expect((await ask('GET', '/api/v1/connector/task')).json.connector.name).toBe('task');
    expect((await ask('GET', '/api/v1/connector/My%20Own%2FOne')).json.connector.name).toBe('My Own/One');
  });

  it.each([
    ['GET', '/', 404],
    ['GET', '/api/v2/connectors', 404],
    ['GET', '/api/v1/connector/', 404],
    ['GET', '/api/v1/connectors/x', 404],
    ['GET', '/api/v1/connector/task/fake/x/e30', 404],
    ['GET', '/api/v1/connector/task/fake/0', 404],
    ['GET', '/api/v1/connector/Nobody', 404],
    ['GET', '/api/v1/connector/%zz', 400],
    ['PUT', '/api/v1/connectors', 405],
    ['POST', '/api/v1/connector/task/fake/0/e30', 405],
    ['DELETE', '/api/v1/connector/task/fake/0/e30', 405],
    ['POST', '/api/v1/agent/task/stream', 501],
    ['POST', '/api/v1/connector/task/stream', 404],
  ])('%s %s is answered with %i', async (method, path, status) => {
    const { ask } = world();

    const answer = await ask(method, path);

    expect(answer.status).toBe(status);
    expect(answer.json).toMatchObject({
      code: expect.any(Number),
      message: expect.any(String),
      details: [{ domain: 'landfall' }],
    });
    if (status === 405) expect(answer.headers.allow).toMatch(/GET/);
  });

  it('GET /healthz is 200', async () => {
    expect(await world().ask('GET', '/healthz')).toMatchObject({ status: 200, json: { status: 'ok' } });
  });
});

describe('connections', () => {
  const CONNECTIONS = {
    connections: { api: { secrets: { key: 'landfall/api' }, configs: { region: 'eu' } } },
    secrets: { 'landfall/api': 'hush-hush-1' },
  };
  const path = `/api/v1/connector/task/fake/0/${META}`;

  it.each([
    'connection.secrets[key]=hush-hush-1',
    'connection.secrets.key=hush-hush-1',
    'connection%5Bsecrets%5D%5Bkey%5D=hush-hush-1',
    'connection_secrets=hush-hush-1',
    'secrets=hush-hush-1',
    'connection={"secrets":{"key":"hush-hush-1"}}',
  ])('refuses secrets in a query: %s', async (query) => {
    const { ask, connector } = world(CONNECTIONS);

    for (const [method, at] of [
      ['GET', path],
      ['DELETE', path.replace('/task/', '/task_executions/')],
    ] as const) {
      const answer = await ask(method, `${at}?${query}`);
      expect(answer.status).toBe(400);
      expect(answer.body).not.toContain('hush-hush-1');
    }
    expect(connector.calls).toEqual([]);
  });

  it.each(['connection=api', 'connection.name=api'])(
    'takes one of the server by name from a query: %s',
    async (query) => {
      const { ask, connector } = world(CONNECTIONS);

      expect((await ask('GET', `${path}?${query}`)).status).toBe(200);
      expect(connector.asked[0]?.context.connection).toEqual({
        secrets: { key: 'hush-hush-1' },
        configs: { region: 'eu' },
      });
    },
  );

  it.each(['api', { name: 'api' }])('takes it by name from a body: %j', async (connection) => {
    const { ask, connector } = world(CONNECTIONS);

    await ask('POST', '/api/v1/connector/task', { body: { ...CREATE, connection } });

    expect(connector.asked[0]?.context.connection.secrets).toEqual({ key: 'hush-hush-1' });
  });

  it('takes the message of the reference in a body', async () => {
    const { ask, connector } = world();
    const connection = { task_type: 'fake', secrets: { key: 'from-the-body' }, configs: { region: 'us' } };

    await ask('POST', '/api/v1/connector/task', { body: { ...CREATE, connection } });

    expect(connector.asked[0]?.context.connection).toEqual({
      secrets: { key: 'from-the-body' },
      configs: { region: 'us' },
    });
  });

  it('takes configs from a query', async () => {
    const { ask, connector } = world();

    await ask('GET', `${path}?connection.configs[aws_region]=us&connection.configs.x=y&connection.task_type=fake`);

    expect(connector.asked[0]?.context.connection).toEqual({ secrets: {}, configs: { aws_region: 'us', x: 'y' } });
  });

  it.each<[string, string, unknown]>([
    ['query', `${path}?connection=api&connection.configs[host]=evil`, undefined],
    [
      'body',
      '/api/v1/connector/task:get',
      { taskType: 'fake', resourceMeta: META, connection: { name: 'api', configs: { host: 'evil' } } },
    ],
  ])(
    'sends the secrets of a named one nowhere else: configs beside a name in a %s are refused',
    async (_where, at, body) => {
      const { ask, connector } = world(CONNECTIONS);

      expect((await ask(body ? 'POST' : 'GET', at, body ? { body } : {})).status).toBe(400);
      expect(connector.calls).toEqual([]);
    },
  );

  it('one that is not there is a mistake in the request', async () => {
    expect(await world().ask('GET', `${path}?connection=nobody`)).toMatchObject({ status: 400, json: { code: 3 } });
  });
});

describe('idempotency', () => {
  const tokenOf = async (body: object, headers = {}) => {
    const { ask, connector } = world();
    await ask('POST', '/api/v1/connector/task', { body: { ...CREATE, ...body }, headers });
    return connector.asked[0]?.context.idempotencyToken;
  };

  it.each([
    ['a token of its own shape is passed on', { idempotencyToken: TOKEN }, {}, TOKEN],
    ['any other becomes one', { idempotency_token: 'x' }, {}, idempotencyToken('http', 'x', 0)],
    ['a header names the job', {}, { 'idempotency-key': 'k' }, idempotencyToken('http', 'k', 0)],
    [
      'the execution names the job, with the attempt',
      { taskExecutionMetadata: { taskExecutionId: 'e' }, attempt: 2 },
      {},
      idempotencyToken('http', 'e', 2),
    ],
    ['else every create is another job', {}, {}, idempotencyToken('http', 'random')],
  ])('%s', async (_what, body, headers, token) => {
    expect(await tokenOf(body, headers)).toBe(token);
  });
});

describe('what goes wrong', () => {
  it.each(['', '[]', '"x"', '{"template":', 'null'])(
    'a body that is %j is INVALID_ARGUMENT, and is not quoted',
    async (body) => {
      const answer = await world().ask('POST', '/api/v1/connector/task', { body });

      expect(answer).toMatchObject({ status: 400, json: { code: 3 } });
    },
  );

  it('an error has code, message and details', async () => {
    const { ask, connector } = world();
    connector.onGet = () => {
      throw new ConnectorError('Throttled', { message: 'slow down', retryAfterMs: 1500 });
    };

    const answer = await ask('GET', `/api/v1/connector/task/fake/0/${META}`);

    expect(answer).toMatchObject({ status: 429, headers: { 'retry-after': '2' } });
    expect(answer.json).toEqual({
      code: 8,
      message: 'get of fake failed: slow down',
      details: [
        {
          '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
          reason: 'Throttled',
          domain: 'landfall',
          metadata: { status: 'RESOURCE_EXHAUSTED', retryable: 'true', origin: 'service' },
        },
        { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '1.5s' },
      ],
    });
  });

  it('what fails among logs is the last of their objects', async () => {
    const { ask, connector } = world();
    Object.assign(connector, {
      async *getLogs() {
        yield { lines: [{ message: 'a' }] };
        throw new Error('cut off');
      },
    });

    const { status, lines } = await ask('GET', `/api/v1/connector/task/logs/fake/0/${META}`);

    expect(status).toBe(200);
    expect(lines).toMatchObject([
      { result: { body: { lines: [{ message: 'a' }] } } },
      { error: { code: 13, message: 'logs of fake failed: cut off' } },
    ]);
  });

  it('logs that no function could answer with end in an error that says what to do', async () => {
    const { ask, connector } = world();
    const line = { message: 'x'.repeat(100_000) };
    Object.assign(connector, { getLogs: async () => ({ lines: Array(80).fill(line) }) });

    const { lines, body } = await ask('GET', `/api/v1/connector/task/logs/fake/0/${META}`);

    expect(Buffer.byteLength(body)).toBeLessThan(6_000_000);
    expect(lines.at(-1)?.error.message).toContain('ask for fewer lines');
  });

  it('the end of the time of a function is DEADLINE_EXCEEDED', async () => {
    const { api, connector } = world();
    const stop = new AbortController();
    connector.onGet = () => stop.abort(new DeadlineError());

    const answer = await api({ method: 'GET', path: `/api/v1/connector/task/fake/0/${META}` }, { signal: stop.signal });

    expect(answer.status).toBe(504);
  });

  it('an error of this service is told to whoever runs it, not to who asked', async () => {
    const { service, newId } = { ...serviceWorld(), newId: () => 'id' };
    const errors: unknown[] = [];
    const broken = {
      ...service,
      listConnectors: () => {
        throw new TypeError('x is undefined');
      },
    };

    const answer = await httpApi({ service: broken, newId, onError: (error) => void errors.push(error) })({
      method: 'GET',
      path: '/api/v1/connectors',
    });

    expect(answer.status).toBe(500);
    expect(answer.body).not.toContain('undefined');
    expect(errors).toHaveLength(1);
  });
});
