import { describe, expect, it } from 'vitest';
import { type DisClientOptions, NO_RETRY } from '../../../../shared/clients/dis/index.ts';
import { jsonLogger } from '../../../../shared/core/logger.ts';
import { Redactor } from '../../../../shared/core/redaction.ts';
import { collect, failure, socketError } from '../../../support/client-calls.ts';
import { type Answer, ENDPOINT, inTurn, PROJECT, refusal, START, silence, TOKEN, World } from './harness.ts';

const KEYS = { accessKey: 'AKEXAMPLE', secretKey: 'a-secret-key-of-ours' };
const stream = (more: object = {}): Answer => ({ body: { stream_name: 's', stream_id: 'x', ...more } });

describe('requests', () => {
  it('carry the token, the project and what they accept', async () => {
    const world = new World(() => stream());

    await world.client.getStream('s');

    const { headers, origin, path, method } = world.sent[0]!;
    expect([method, origin, path]).toEqual(['GET', ENDPOINT, `/v2/${PROJECT}/streams/s`]);
    expect(Object.fromEntries(headers)).toEqual({
      accept: 'application/json',
      'content-type': 'application/json',
      'user-agent': 'landfall',
      'x-auth-token': TOKEN,
      'x-project-id': PROJECT,
    });
  });

  it('signed with temporary keys, sign their security token too', async () => {
    const world = new World(() => stream(), { credentials: { ...KEYS, securityToken: 'temporary-token' } });

    await world.client.getStream('s');

    const { headers } = world.sent[0]!;
    expect(headers.get('x-sdk-date')).toBe('20260106T100000Z');
    expect(headers.get('x-security-token')).toBe('temporary-token');
    expect(headers.get('authorization')).toMatch(
      /^SDK-HMAC-SHA256 Credential=AKEXAMPLE\/20260106\/eu-de\/dis\/sdk_request, SignedHeaders=host;x-sdk-date;x-security-token, Signature=[0-9a-f]{64}$/,
    );
  });

  it('are signed anew for every try', async () => {
    const world = new World(inTurn(refusal('DIS.5000', '', 500), stream()), { credentials: KEYS });

    await world.client.getStream('s');

    const [first, second] = world.sent.map(({ headers }) => headers.get('authorization'));
    expect(first).toBeTruthy();
    expect(second).toBeTruthy();
  });

  it('need a region to be signed, which the address may tell', async () => {
    const without = new World(() => stream(), { credentials: KEYS, region: undefined, endpoint: 'http://127.0.0.1:1' });
    const within = new World(() => stream(), { credentials: KEYS, region: undefined });

    expect((await failure(without.client.getStream('s'))).message).toBe('signing needs the region (DIS_REGION)');
    await within.client.getStream('s');
    expect(within.sent[0]!.headers.get('authorization')).toContain('/eu-de/dis/');
  });

  it('go to the region if there is no endpoint', async () => {
    const world = new World(() => stream(), { endpoint: undefined });

    await world.client.getStream('s');

    expect(world.sent[0]!.origin).toBe('https://dis.eu-de.otc.t-systems.com');
  });
});

describe('repeating', () => {
  const ERRORS: readonly [string, Answer | Error][] = [
    ['500', refusal('DIS.5000', '', 500)],
    ['503 of the gateway', { status: 503, body: 'busy' }],
    ['429', { status: 429, body: '' }],
    ['400 throttled', refusal('DIS.4303')],
    ['400 too many requests', refusal('DIS.4305')],
    ['refused', socketError('ECONNREFUSED')],
    ['reset', socketError('ECONNRESET')],
    ['a handshake that failed', socketError('EPROTO')],
  ];

  it.each(ERRORS)('%s: any call is repeated after 250 ms, then twice as long', async (_what, error) => {
    for (const answer of [stream(), { body: { records: [{ partition_id: '0', sequence_number: '1' }] } }]) {
      const world = new World(inTurn(error, error, answer));

      const call =
        'records' in (answer.body as object)
          ? world.client.uploadData('s', { records: [{ data: 'x' }] })
          : world.client.getStream('s');
      await call;

      expect(world.slept).toEqual([250, 500]);
    }
  });

  it('ends after five times', async () => {
    const world = new World(() => refusal('DIS.5000', '', 500));

    expect((await failure(world.client.getStream('s'))).name).toBe('ServerError');
    expect(world.slept).toEqual([250, 500, 1000, 2000, 4000]);
  });

  it('waits at least as long as the service asks', async () => {
    const world = new World(inTurn({ status: 429, headers: { 'retry-after': '7' } }, stream()));

    await world.client.getStream('s');

    expect(world.slept).toEqual([7000]);
  });

  it.each(['DIS.4301', 'DIS.4200', 'DIS.4205', 'DIS.4101', 'DIS.4116'])('%s is not repeated', async (code) => {
    const world = new World(() => refusal(code));

    await failure(world.client.getStream('s'));

    expect(world.sent).toHaveLength(1);
  });

  it('a certificate that is not valid is not tried again', async () => {
    const world = new World(() => socketError('CERT_HAS_EXPIRED'));

    const error = await failure(world.client.getStream('s'));

    expect(error).toMatchObject({ name: 'ConnectionFailedError', retryable: false });
    expect(world.sent).toHaveLength(1);
  });

  it.each([
    ['a GET is repeated', 6, (world: World) => world.client.getStream('s')],
    ['an upload is not', 1, (world: World) => world.client.uploadData('s', { records: [{ data: 'x' }] })],
    ['a creation is not', 1, (world: World) => world.client.createApp({ name: 'a' })],
  ] as const)('without an answer in time %s', async (_what, times, call) => {
    const world = new World(silence, { readTimeoutMs: 1 });

    expect(await failure(call(world))).toMatchObject({ name: 'ReplyTimeoutError', retryable: true });
    expect(world.sent).toHaveLength(times);
  });

  it('half a reply is one that broke', async () => {
    const world = new World(() => new Response('{"stream', { headers: { 'content-length': '100' } }), {
      retry: NO_RETRY,
    });

    expect(await failure(world.client.getStream('s'))).toMatchObject({ name: 'ReplyTruncatedError', retryable: true });
  });

  it.each([
    [
      'a stream that is there as asked for counts as created',
      [refusal('DIS.4307'), stream({ writable_partition_count: 2, data_type: 'JSON' })],
      undefined,
    ],
    ['one that differs does not', [refusal('DIS.4307'), stream({ writable_partition_count: 3 })], 'AlreadyExistsError'],
    ['one that cannot be read does not', [refusal('DIS.4307'), refusal('DIS.4301')], 'NotFoundError'],
  ])('a creation that was repeated: %s', async (_what, answers, error) => {
    const world = new World(inTurn(socketError('ECONNRESET'), ...answers));

    const creation = world.client.createStream({ name: 's', partitionCount: 2, dataType: 'JSON' });

    if (error) expect((await failure(creation)).name).toBe(error);
    else expect(await creation).toEqual({ name: 's', partitionCount: 2, dataType: 'JSON' });
  });

  it('a creation that was not repeated is refused as it is', async () => {
    const world = new World(inTurn(refusal('DIS.4330'), { body: { app_name: 'a' } }));

    expect((await failure(world.client.createApp({ name: 'a' }))).name).toBe('AlreadyExistsError');
    expect(world.sent).toHaveLength(1);
  });

  it('an app, a task, a deletion, a scaling that had worked', async () => {
    const task = { taskName: 't', agencyName: 'a', obsBucketPath: 'b', deliverTimeInterval: 30 };
    const broken = socketError('ECONNRESET');
    const app = new World(inTurn(broken, refusal('DIS.4330'), { body: { app_name: 'a' } }));
    const dump = new World(
      inTurn(broken, refusal('DIS.4355'), {
        body: { task_name: 't', obs_destination_description: { obs_bucket_path: 'b', deliver_time_interval: 30 } },
      }),
    );
    const gone = new World(inTurn(broken, refusal('DIS.4301')));
    const scaled = new World(inTurn(broken, refusal('DIS.4200'), stream({ writable_partition_count: 5 })));

    await app.client.createApp({ name: 'a' });
    await dump.client.createDumpTask('s', { obsDestinationDescriptor: task });
    await gone.client.deleteStream('s');
    await scaled.client.updateStreamPartition('s', 5);

    expect(gone.sent).toHaveLength(2);
    expect(scaled.calls).toEqual(['PUT /streams/s', 'PUT /streams/s', 'GET /streams/s']);
  });
});

describe('tokens of a login', () => {
  const login = {
    iamUrl: 'https://iam.example.com/v3',
    user: 'u',
    password: 'the-password',
    domain: 'd',
    projectName: 'eu-de',
  };
  const tokenOf = (value: string, expires = '2026-01-07T10:00:00.000000Z'): Answer => ({
    status: 201,
    headers: { 'x-subject-token': value },
    body: {
      token: {
        expires_at: expires,
        project: { id: PROJECT },
        catalog: [
          { type: 'obs', endpoints: [{ url: 'https://obs.example.com' }] },
          {
            type: 'disv2',
            endpoints: [{ interface: 'public', region: 'eu-de', url: `https://dis.catalog.example.com/v2/${PROJECT}` }],
          },
        ],
      },
    },
  });
  const open: DisClientOptions = { credentials: login, endpoint: undefined, projectId: undefined };

  it('are fetched once for all, and say project and address', async () => {
    const world = new World(({ path }) => (path === '/v3/auth/tokens' ? tokenOf('token-one') : stream()), open);

    await Promise.all([world.client.getStream('s'), world.client.getStream('s')]);

    expect(world.sent.map(({ method, origin, path }) => `${method} ${origin}${path}`)).toEqual([
      'POST https://iam.example.com/v3/auth/tokens',
      `GET https://dis.catalog.example.com/v2/${PROJECT}/streams/s`,
      `GET https://dis.catalog.example.com/v2/${PROJECT}/streams/s`,
    ]);
    expect(world.sent[0]!.body).toEqual({
      auth: {
        identity: {
          methods: ['password'],
          password: { user: { name: 'u', password: 'the-password', domain: { name: 'd' } } },
        },
        scope: { project: { name: 'eu-de', domain: { name: 'd' } } },
      },
    });
    expect(world.sent[1]!.headers.get('x-auth-token')).toBe('token-one');
  });

  it('are renewed ten minutes before they expire', async () => {
    let count = 0;
    const world = new World(({ path }) => (path === '/v3/auth/tokens' ? tokenOf(`token-${++count}`) : stream()), open);

    await world.client.getStream('s');
    world.clock.moveTo(Date.parse('2026-01-07T09:49:00Z'));
    await world.client.getStream('s');
    world.clock.moveTo(Date.parse('2026-01-07T09:51:00Z'));
    await world.client.getStream('s');

    expect(count).toBe(2);
  });

  it('are renewed once when they are refused', async () => {
    let count = 0;
    const world = new World(({ path, headers }) => {
      if (path === '/v3/auth/tokens') return tokenOf(`token-${++count}`);
      return headers.get('x-auth-token') === 'token-2' ? stream() : refusal('DIS.4114', 'Invalid Token header.', 441);
    }, open);

    await world.client.getStream('s');

    expect(count).toBe(2);
  });

  it('that are refused again end the call', async () => {
    let count = 0;
    const world = new World(
      ({ path }) => (path === '/v3/auth/tokens' ? tokenOf(`token-${++count}`) : refusal('DIS.4114', '', 441)),
      open,
    );

    expect((await failure(world.client.getStream('s'))).name).toBe('AuthenticationError');
    expect(count).toBe(2);
  });

  it('are not asked for again with credentials that were refused', async () => {
    const world = new World(
      () => ({ status: 401, body: { error: { code: 401, message: 'The password is wrong' } } }),
      open,
    );

    const error = await failure(world.client.getStream('s'));

    expect(error.name).toBe('AuthenticationError');
    expect(error.message).toContain('The password is wrong');
    expect(world.sent).toHaveLength(1);
  });
});

describe('credentials from a function', () => {
  it('are asked for again when they are refused, and not sent again if they are the same', async () => {
    let asked = 0;
    const refusing = () => refusal('DIS.4107', '', 441);
    const same = new World(refusing, { credentials: () => ({ ...KEYS, expiresAtMs: Infinity * ++asked }) });
    const other = new World(refusing, { credentials: () => ({ ...KEYS, secretKey: `another-secret-${asked++}` }) });

    await failure(same.client.getStream('s'));
    await failure(other.client.getStream('s'));

    expect(same.sent).toHaveLength(1);
    expect(other.sent).toHaveLength(2);
    expect(asked).toBe(4);
  });

  it('are asked for again before they expire', async () => {
    let asked = 0;
    const expiresAtMs = Date.parse(START) + 3_600_000;
    const world = new World(() => stream(), {
      credentials: async () => ({ ...KEYS, expiresAtMs: expiresAtMs * ++asked }),
    });

    await world.client.getStream('s');
    world.clock.advance(3_000_001);
    await world.client.getStream('s');

    expect(asked).toBe(2);
  });
});

describe('secrets', () => {
  it('are in no error, log or text of the client', async () => {
    const lines: string[] = [];
    const logger = jsonLogger({
      clock: () => new Date(0),
      redactor: new Redactor(),
      write: (line) => void lines.push(line),
    });
    const credentials = { ...KEYS, securityToken: 'the-temporary-token' };
    const world = new World(
      ({ headers }) => ({
        status: 500,
        body: { errorCode: 'DIS.5000', message: `got ${headers.get('x-security-token')}` },
      }),
      { credentials, logger },
    );

    const error = await failure(world.client.getStream('s'));

    const said = `${error.message} ${JSON.stringify(error)} ${JSON.stringify(world.client)} ${lines.join('\n')}`;
    for (const secret of [KEYS.secretKey, 'the-temporary-token']) expect(said).not.toContain(secret);
    expect(error.message).toContain('got [redacted]');
  });
});

describe('what could only be refused is not sent', () => {
  const LONG = 'x'.repeat(65);
  const task = { taskName: 't', agencyName: 'a', obsBucketPath: 'b', deliverTimeInterval: 30 };
  const cases: readonly [string, string, (world: World) => Promise<unknown>][] = [
    ['a stream name with a slash', 'InvalidNameError', ({ client }) => client.getStream('a/b')],
    ['an empty one', 'InvalidNameError', ({ client }) => client.deleteStream('')],
    ['one of 65 characters', 'InvalidNameError', ({ client }) => client.getStream(LONG)],
    ['one with an umlaut', 'InvalidNameError', ({ client }) => client.createStream({ name: 'ü', partitionCount: 1 })],
    ['a name of two dots', 'InvalidNameError', ({ client }) => client.deleteApp('..')],
    ['an app name of 201 characters', 'InvalidNameError', ({ client }) => client.createApp({ name: 'x'.repeat(201) })],
    ['a task name with a space', 'InvalidNameError', ({ client }) => client.getDumpTask('s', 'a b')],
    ['no partitions', 'OutOfLimitsError', ({ client }) => client.createStream({ name: 's', partitionCount: 0 })],
    ['half a partition', 'OutOfLimitsError', ({ client }) => client.updateStreamPartition('s', 1.5)],
    ['scaling to none', 'OutOfLimitsError', ({ client }) => client.updateStreamPartition('s', 0)],
    [
      '23 hours',
      'OutOfLimitsError',
      ({ client }) => client.createStream({ name: 's', partitionCount: 1, dataDuration: 23 }),
    ],
    [
      '73 hours',
      'OutOfLimitsError',
      ({ client }) => client.createStream({ name: 's', partitionCount: 1, dataDuration: 73 }),
    ],
    [
      'a least count over the most',
      'OutOfLimitsError',
      ({ client }) =>
        client.createStream({
          name: 's',
          partitionCount: 1,
          isAutoScaleEnabled: true,
          autoScaleMinPartitionCount: 3,
          autoScaleMaxPartitionCount: 2,
        }),
    ],
    [
      'an unknown type',
      'InvalidAttributeError',
      ({ client }) => client.createStream({ name: 's', partitionCount: 1, dataType: 'FILE' as 'BLOB' }),
    ],
    [
      'eleven tags',
      'OutOfLimitsError',
      ({ client }) =>
        client.createStream({
          name: 's',
          partitionCount: 1,
          tags: Array.from({ length: 11 }, () => ({ key: 'k', value: '' })),
        }),
    ],
    ['a page of 0', 'OutOfLimitsError', async ({ client }) => collect(client.streams({ limit: 0 }))],
    ['a page of 101', 'OutOfLimitsError', async ({ client }) => collect(client.apps({ limit: 101 }))],
    [
      '1,001 states',
      'OutOfLimitsError',
      async ({ client }) => collect(client.appConsumptions('s', 'a', { limit: 1001 })),
    ],
    [
      'a negative sequence number',
      'OutOfLimitsError',
      ({ client }) => client.createCheckpoint({ appName: 'a', streamName: 's', partitionId: 0, sequenceNumber: -1n }),
    ],
    [
      'a sequence number of 2^63',
      'OutOfLimitsError',
      ({ client }) => client.getDataCursor('s', 0, { startingSequenceNumber: 2n ** 63n }),
    ],
    [
      'metadata of 1,001 characters',
      'OutOfLimitsError',
      ({ client }) =>
        client.createCheckpoint({
          appName: 'a',
          streamName: 's',
          partitionId: 0,
          sequenceNumber: 1n,
          metadata: 'x'.repeat(1001),
        }),
    ],
    ['another type of checkpoint', 'InvalidAttributeError', ({ client }) => client.getCheckpoint('s', 'a', 0, 'FIRST')],
    [
      'an unknown type of cursor',
      'InvalidAttributeError',
      ({ client }) => client.getDataCursor('s', 0, { cursorType: 'FIRST' as 'LATEST' }),
    ],
    [
      'AFTER_SEQUENCE_NUMBER without a number',
      'InvalidAttributeError',
      ({ client }) => client.getDataCursor('s', 0, { cursorType: 'AFTER_SEQUENCE_NUMBER' }),
    ],
    [
      'AT_TIMESTAMP without a time',
      'InvalidAttributeError',
      ({ client }) => client.getDataCursor('s', 0, { cursorType: 'AT_TIMESTAMP' }),
    ],
    ['no partition', 'InvalidAttributeError', ({ client }) => client.getDataCursor('s', '')],
    ['no cursor', 'InvalidAttributeError', ({ client }) => client.downloadData('')],
    ['a fetch of 0 bytes', 'OutOfLimitsError', ({ client }) => client.downloadData('c', { maxFetchBytes: 0 })],
    ['no task id', 'InvalidAttributeError', ({ client }) => client.startDumpTask('s')],
    ['a task without a destination', 'InvalidAttributeError', ({ client }) => client.createDumpTask('s', {})],
    [
      'a task every 29 seconds',
      'OutOfLimitsError',
      ({ client }) => client.createDumpTask('s', { obsDestinationDescriptor: { ...task, deliverTimeInterval: 29 } }),
    ],
    [
      'no requests at a time',
      'OutOfLimitsError',
      ({ client }) => client.uploadData('s', { records: [{ data: 'x' }], concurrency: 0 }),
    ],
  ];

  it.each(cases)('%s: %s', async (_what, name, call) => {
    const world = new World(() => ({}));

    const error = await failure((async () => call(world))());

    expect(error).toMatchObject({ name, retryable: false });
    expect(error.code).toBe(`Dis${name.replace(/Error$/, '')}`);
    expect(world.sent).toEqual([]);
  });

  it.each([
    ['no credentials', { credentials: undefined }, 'InvalidCredentialsError'],
    ['an endpoint of no web address', { endpoint: 'ftp://x' }, 'InvalidSettingError'],
    ['an endpoint with a path', { endpoint: 'https://x/v2' }, 'InvalidSettingError'],
    ['a project id with a slash', { projectId: '../x' }, 'InvalidSettingError'],
    ['an unknown signature', { signatureAlgorithm: 'MD5' as 'SDK-HMAC-SHA256' }, 'InvalidSettingError'],
    ['no time', { readTimeoutMs: 0 }, 'InvalidSettingError'],
  ] as [string, DisClientOptions, string][])('settings: %s', (_what, options, name) => {
    expect(() => new World(() => ({}), options)).toThrow(expect.objectContaining({ name }));
  });

  it.each([
    ['no secret', { accessKey: 'a', secretKey: '' }, 'the secret key (DIS_SECRET_KEY) is missing'],
    ['an access key with a line end', { accessKey: 'a\nb', secretKey: 'c' }, /white space/],
    ['an empty token', { token: '' }, 'the token is missing'],
    [
      'a login without a project',
      { iamUrl: 'https://x', user: 'u', password: 'p', domain: 'd' },
      /projectId or projectName/,
    ],
  ])('credentials: %s', async (_what, credentials, message) => {
    const error = await failure(new World(() => ({}), { credentials }).client.getStream('s'));

    expect(error.name).toBe('InvalidCredentialsError');
    expect(error.message).toMatch(message);
  });

  it('the environment gives what is not said otherwise', async () => {
    const env = { DIS_ENDPOINT: ENDPOINT, DIS_PROJECT_ID: PROJECT, DIS_REGION: 'eu-de', DIS_TOKEN: 'token-of-env' };
    const none = { endpoint: undefined, projectId: undefined, region: undefined, credentials: undefined };
    const world = new World(() => stream(), { ...none, env });
    const signed = new World(() => stream(), {
      ...none,
      env: { ...env, DIS_TOKEN: '', DIS_ACCESS_KEY: 'ak', DIS_SECRET_KEY: 'sk' },
    });

    await world.client.getStream('s');
    await signed.client.getStream('s');

    expect(world.sent[0]!.headers.get('x-auth-token')).toBe('token-of-env');
    expect(signed.sent[0]!.headers.get('authorization')).toContain('Credential=ak/');
  });
});

describe('paging', () => {
  it('lists all streams with the largest page, and stops asking when it is left', async () => {
    const pages = [
      {
        stream_names: ['a', 'b'],
        has_more_streams: true,
        stream_info_list: [{ stream_name: 'a' }, { stream_name: 'b' }],
      },
      { stream_names: ['c'], has_more_streams: false },
    ];
    const world = new World((_sent, count) => ({ body: pages[count - 1] }));

    const listing = world.client.streams();
    await listing.next();
    await listing.next();

    expect(world.sent).toHaveLength(1);
    expect((await collect(listing)).map(({ name }) => name)).toEqual(['c']);
    expect(world.sent.map(({ query }) => query)).toEqual([{ limit: '100' }, { limit: '100', start_stream_name: 'b' }]);
  });

  it('reads all partitions of a stream, as numbers too', async () => {
    const partition = (at: number) => ({
      status: 'ACTIVE',
      partition_id: `shardId-000000000${at}`,
      sequence_number_range: `[${at} : 9223372036854775807]`,
    });
    const world = new World(({ query }) =>
      query.start_partitionId
        ? stream({ partitions: [partition(2)], has_more_partitions: false })
        : stream({ partitions: [partition(0), partition(1)], has_more_partitions: true, retention_period: '24' }),
    );

    const { partitions, retentionPeriod } = await world.client.getStream('s');

    expect(partitions?.map(({ oldestSequenceNumber }) => oldestSequenceNumber)).toEqual([0n, 1n, 2n]);
    expect(partitions?.[0]?.nextSequenceNumber).toBe(2n ** 63n - 1n);
    expect(retentionPeriod).toBe(24);
    expect(world.sent[1]!.query).toEqual({ limit_partitions: '1000', start_partitionId: 'shardId-0000000001' });
  });

  it('lists all states of an app, however the numbers are written', async () => {
    const states = [
      '{"has_more":true,"partition_consuming_states":[{"partition_id":0,"sequence_number":9007199254740993}]}',
      '{"has_more":false,"partition_consuming_states":[{"partition_id":"1","sequence_number":"-1","latest_offset":"7"}]}',
    ];
    const world = new World((_sent, count) => ({ body: states[count - 1] }));

    expect(await collect(world.client.appConsumptions('s', 'a'))).toEqual([
      { partitionId: '0', sequenceNumber: 9007199254740993n },
      { partitionId: '1', sequenceNumber: -1n, latestOffset: 7n },
    ]);
    expect(world.sent[1]!.query).toMatchObject({ start_partition_id: '0', limit: '1000' });
  });

  it('a checkpoint that was never written is -1', async () => {
    const world = new World(inTurn({ body: { sequence_number: '-1', metadata: '' } }, { body: {} }));

    for (let time = 0; time < 2; time += 1) {
      expect(await world.client.getCheckpoint('s', 'a', 0)).toEqual({ sequenceNumber: -1n, metadata: '' });
    }
  });
});

describe('closing', () => {
  it('ends what is under way and whatever comes after', async () => {
    const world = new World(silence);
    const underWay = failure(world.client.getStream('s'));
    while (world.sent.length === 0) await new Promise(setImmediate);

    await world.client.close();

    expect((await underWay).name).toBe('ClientClosedError');
    expect((await failure(world.client.getStream('s'))).name).toBe('ClientClosedError');
    expect(world.sent).toHaveLength(1);
  });
});
