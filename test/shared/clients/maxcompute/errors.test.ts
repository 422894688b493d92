import { describe, expect, it } from 'vitest';
import { ERROR_OF_CODE } from '../../../../shared/clients/maxcompute/errors.ts';
import * as maxcompute from '../../../../shared/clients/maxcompute/index.ts';
import { failure, socketError } from '../../../support/client-calls.ts';
import { fixture, refusal, script, World } from './harness.ts';

interface ErrorCase {
  readonly name: string;
  readonly http_status: number;
  readonly headers: Record<string, string>;
  readonly body_utf8: string;
  readonly parsed: Readonly<Record<string, unknown>> & { readonly class: string; readonly parents: string[] };
  readonly expected?: Readonly<Record<string, unknown>>;
}

const exported: Readonly<Record<string, unknown>> = { ...maxcompute };
const { NO_RETRY, ServiceError } = maxcompute;
/** Names of the vendor's classes in ours. */
const ourName = (name: string) =>
  name === 'ODPSError' ? 'ServiceError' : name.endsWith('Error') ? name : `${name}Error`;

describe('refusals', () => {
  const { cases } = fixture<{ cases: ErrorCase[] }>('errors');

  it.each(cases.map((one) => [one.name, one] as const))('%s', async (name, one) => {
    const answer = {
      status: one.http_status,
      headers: { 'x-odps-request-id': '', ...one.headers },
      body: one.body_utf8,
    };
    const world = new World(() => answer, { retry: NO_RETRY });

    const error = await failure(world.table.createReadSession());

    const {
      class: kind,
      code,
      message,
      request_id,
      host_id,
      status_code,
      ...more
    } = { ...one.parsed, ...one.expected };
    const ours: Record<string, string> = {
      plain_text_413: 'RequestTooLargeError',
      xml_without_ids: 'NoSuchTableError',
    };
    const isStatusOnly = code === null || code === String(status_code);
    expect(error).toMatchObject({
      name: ours[name] ?? ourName(kind),
      serviceCode: name === 'xml_without_ids' ? 'NoSuchTable' : isStatusOnly ? null : code,
      serviceMessage: name === 'xml_without_ids' ? 'gone' : message,
      requestId: request_id,
      hostId: host_id,
      status: status_code,
    });
    expect(error).toBeInstanceOf(ServiceError);
    for (const parent of one.parsed.parents.map(ourName)) {
      if (parent in exported) expect(error).toBeInstanceOf(exported[parent]);
    }
    if (name === 'json_time_skewed') {
      expect(error).toMatchObject({
        maxIntervalMs: more.max_interval_date,
        expireDate: new Date(String(more.expire_date)),
        nowDate: new Date(String(more.now_date)),
      });
    }
  });

  it.each(Object.entries(ERROR_OF_CODE).map(([code, Kind]) => [code, Kind!] as const))(
    '%s has a class of its own, with a stable code',
    async (code, Kind) => {
      const world = new World(() => refusal(400, code), { retry: NO_RETRY });

      const error = await failure(world.table.createReadSession());

      expect(error).toBeInstanceOf(Kind);
      expect(exported[error.name]).toBe(Kind);
      expect(error.code).toBe(`MaxCompute${error.name.replace(/Error$/, '')}`);
    },
  );

  it('a modified schema tells the version to write with', async () => {
    const answer = refusal(412, 'SchemaModified', 'changed', { 'odps-tunnel-latest-schema-version': '7' });

    const error = await failure(new World(() => answer).table.createReadSession());

    expect(error).toMatchObject({ name: 'SchemaModifiedError', latestSchemaVersion: '7', retryable: false });
  });

  it('a name that objects inherit is no code', async () => {
    const error = await failure(new World(() => refusal(400, 'constructor')).table.createReadSession());

    expect(error.name).toBe('ServiceError');
  });

  it('a long page is quoted by its beginning', async () => {
    const world = new World(() => ({ status: 400, body: 'x'.repeat(1_000_000) }));

    expect((await failure(world.table.createReadSession())).message.length).toBeLessThan(300);
  });
});

describe('repeating', () => {
  const session = { json: { SessionId: 's', SessionStatus: 'NORMAL' } };

  it.each([
    ['429', refusal(429, 'SlotExceeded')],
    ['quota by name alone', refusal(400, 'QPSExceeded')],
    ['408', { status: 408 }],
    ['500', refusal(500, 'InternalServerError')],
    ['502', { status: 502 }],
    ['503', { status: 503 }],
    ['a reset connection', socketError('ECONNRESET')],
    ['no connection', socketError('ECONNREFUSED')],
    ['success without a body', { body: '' }],
  ])('%s is sent again, with jitter', async (_name, answer) => {
    const world = new World(script({ TableCreateReadSession: [answer, answer, session] }));

    await world.table.createReadSession();

    expect(world.slept).toEqual([500, 1000]);
    expect(world.retries.map(({ action, failures }) => [action, failures])).toEqual([
      ['TableCreateReadSession', 1],
      ['TableCreateReadSession', 2],
    ]);
  });

  it.each([
    ['400', refusal(400, 'InvalidArgument')],
    ['403', refusal(403, 'NoPermission')],
    ['404', refusal(404, 'NoSuchTable')],
    ['501', { status: 501 }],
    ['a name that does not resolve', socketError('ENOTFOUND')],
    ['a certificate', socketError('CERT_HAS_EXPIRED')],
  ])('%s is not', async (_name, answer) => {
    const world = new World(() => answer);

    expect(await failure(world.table.createReadSession())).toMatchObject({ retryable: false });
    expect(world.sent).toHaveLength(1);
  });

  it('5xx ends after seven repetitions', async () => {
    const world = new World(() => refusal(500, 'InternalServerError'));

    expect(await failure(world.table.createReadSession())).toMatchObject({
      name: 'InternalServerError',
      retryable: true,
    });
    expect(world.sent).toHaveLength(8);
  });

  it('429 ends with the deadline, whatever is asked for', async () => {
    const world = new World(() => refusal(429, 'FlowExceeded', 'slow', { 'retry-after': '200' }));

    const error = await failure(world.table.createReadSession());

    expect(error).toMatchObject({ name: 'FlowExceededError', retryable: true, retryAfterMs: 200_000 });
    expect(world.slept).toEqual([200_000, 200_000, 200_000]);
  });

  it('an abort ends the wait with its reason', async () => {
    const stop = new AbortController();
    const world = new World(() => {
      stop.abort(new Error('enough'));
      return refusal(500, 'InternalServerError');
    });

    expect((await failure(world.table.createReadSession({}, { signal: stop.signal }))).message).toBe('enough');
    expect(world.sent).toHaveLength(1);
  });

  it('a body that ends before its declared length is a lost connection', async () => {
    const short = { headers: { 'content-length': '100' }, json: {} };
    const world = new World(() => short, { retry: NO_RETRY });

    expect(await failure(world.table.createReadSession())).toMatchObject({ name: 'ConnectionLostError' });
  });
});

describe('the tunnel endpoint', () => {
  it('is asked for once a process, by project and quota', async () => {
    const endpoint = 'https://once.example.com/api';
    const options = { endpoint, tunnelEndpoint: undefined, quotaName: 'q7' };
    const answers = script({
      '/api/projects/demo_project/tunnel': [{ body: 'tunnel.example.com:8080\n' }],
      TableCreateReadSession: [1, 2].map(() => ({ json: { SessionId: 's' } })),
    });
    const world = new World(answers, options);

    await world.table.createReadSession();
    await new World(answers, options).table.createReadSession();

    expect(world.sent.map(({ origin, path }) => origin + path)).toEqual([
      'https://once.example.com/api/projects/demo_project/tunnel',
      'https://tunnel.example.com:8080/api/storage/v2',
    ]);
    expect(world.sent[0]!.query).toEqual({ service: '', quotaName: 'q7', curr_project: 'demo_project' });
  });

  it('that is no host is an error, and asked for again', async () => {
    const options = { endpoint: 'http://bad.example.com/api', tunnelEndpoint: undefined };
    const world = new World(() => ({ body: 'evil.example.com/path?x=' }), options);

    await failure(world.table.createReadSession());
    expect(await failure(world.table.createReadSession())).toMatchObject({ name: 'UnparsableReplyError' });
    expect(world.sent).toHaveLength(2);
  });
});

describe('settings', () => {
  it.each([
    ['no project', { project: '' }, /project/],
    ['a project with a dot', { project: 'a.b' }, /project/],
    ['no endpoint at all', { endpoint: undefined, tunnelEndpoint: undefined }, /endpoint/],
    ['an endpoint of another scheme', { endpoint: 'ftp://x' }, /endpoint/],
    ['an endpoint with a password', { endpoint: 'http://u:p@x' }, /endpoint/],
    ['an API version that is no number', { apiVersion: 'v2' }, /apiVersion/],
    ['no time at all', { idleTimeoutMs: 0 }, /idleTimeoutMs/],
  ])('%s', async (_name, options, message) => {
    const error = await failure(() => new World(() => undefined, options));

    expect(error).toMatchObject({ name: 'InvalidRequestError', message: expect.stringMatching(message) });
  });

  it('may come from the environment', async () => {
    const env = {
      ODPS_PROJECT_NAME: 'p',
      ODPS_TUNNEL_ENDPOINT: 'http://tunnel.example.com/',
      ALIBABA_CLOUD_ACCESS_KEY_ID: 'id',
      ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'secret',
    };

    const client = new maxcompute.MaxComputeClient({ env });

    expect(client.project).toBe('p');
    expect(client.table('t').target).toBe('projects.p.schemas.default.tables.t');
    expect(client.table({ project: 'q', schema: 's', table: 't' }).target).toBe('projects.q.schemas.s.tables.t');
    expect(client.instance('i').target).toBe('projects.p.instances.i');
    expect(() => client.table('a.b')).toThrow(maxcompute.InvalidRequestError);
    expect(() => new maxcompute.MaxComputeClient({ env: { ...env, ALIBABA_CLOUD_ACCESS_KEY_ID: '' } })).toThrow(
      maxcompute.InvalidCredentialsError,
    );
  });
});
