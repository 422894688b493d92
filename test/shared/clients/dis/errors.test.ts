import { describe, expect, it } from 'vitest';
import type { RefusedError } from '../../../../shared/clients/dis/index.ts';
import { collect, failure } from '../../../support/client-calls.ts';
import { fixture, refusal, World } from './harness.ts';

/** The table of the specification's section on errors, and what its full list has besides. */
const CLASSES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Array.from({ length: 15 }, (_, at) => [`DIS.${4100 + at}`, 'AuthenticationError'])),
  'DIS.4105': 'ClockSkewError',
  'DIS.4116': 'ForbiddenError',
  'DIS.4117': 'InvalidRequestError',
  'DIS.4200': 'InvalidRequestError',
  'DIS.4201': 'InvalidRequestError',
  'DIS.4202': 'InvalidRequestError',
  'DIS.4203': 'InvalidRequestError',
  'DIS.4204': 'InvalidRequestError',
  'DIS.4205': 'ConflictError',
  'DIS.4208': 'DumpTargetError',
  'DIS.4209': 'InvalidRequestError',
  'DIS.4215': 'InvalidRequestError',
  'DIS.4216': 'InvalidRequestError',
  'DIS.4217': 'InvalidCursorError',
  'DIS.4224': 'OutOfRangeError',
  'DIS.4225': 'ExpiredCursorError',
  'DIS.4226': 'ExpiredPositionError',
  'DIS.4300': 'InvalidRequestError',
  'DIS.4301': 'NotFoundError',
  'DIS.4302': 'NotFoundError',
  'DIS.4303': 'ThrottledError',
  'DIS.4305': 'ThrottledError',
  'DIS.4306': 'DumpTargetError',
  'DIS.4307': 'AlreadyExistsError',
  'DIS.4308': 'QuotaError',
  'DIS.4309': 'ThrottledError',
  'DIS.4310': 'DumpTargetError',
  'DIS.4319': 'GoneError',
  'DIS.4329': 'QuotaError',
  'DIS.4330': 'AlreadyExistsError',
  'DIS.4331': 'ConflictError',
  'DIS.4332': 'NotFoundError',
  'DIS.4335': 'DumpTargetError',
  'DIS.4336': 'DumpTargetError',
  'DIS.4337': 'DumpTargetError',
  'DIS.4338': 'DumpTargetError',
  'DIS.4339': 'QuotaError',
  'DIS.4341': 'DumpTargetError',
  'DIS.4342': 'DumpTargetError',
  'DIS.4343': 'DumpTargetError',
  'DIS.4345': 'DumpTargetError',
  'DIS.4348': 'DumpTargetError',
  'DIS.4350': 'DumpTargetError',
  'DIS.4351': 'DumpTargetError',
  'DIS.4354': 'NotFoundError',
  'DIS.4355': 'AlreadyExistsError',
  'DIS.4357': 'QuotaError',
  'DIS.4358': 'InvalidRequestError',
  'DIS.4360': 'InvalidRequestError',
  'DIS.4375': 'NotFoundError',
  'DIS.4601': 'InvalidRequestError',
  'DIS.4602': 'InvalidRequestError',
  'DIS.4603': 'NotFoundError',
  'DIS.4604': 'NotFoundError',
  'DIS.4605': 'InvalidRequestError',
  // Coordination of consumer groups, which no reference describes: told as what they are, not guessed.
  'DIS.4701': 'UnknownRefusalError',
  'DIS.4702': 'UnknownRefusalError',
  'DIS.4703': 'UnknownRefusalError',
  'DIS.5000': 'ServerError',
  'DIS.5xxx': 'ServerError',
};

const { codes, bodies_seen } = fixture<{
  codes: { status: number; code: string; message: string }[];
  bodies_seen: { errorCode: string; message: string }[];
}>('errors');

const once = { requests: { repeats: 0, firstMs: 1, maxMs: 1 }, records: { repeats: 0, firstMs: 1, maxMs: 1 } };

async function refused(answer: Parameters<typeof refusal>): Promise<RefusedError> {
  const world = new World(() => refusal(...answer), { retry: once });
  return (await failure(world.client.getStream('s'))) as unknown as RefusedError;
}

describe('every code is an error of its class', () => {
  it('the table covers the list', () => {
    expect(codes.map(({ code }) => code).filter((code) => !(code in CLASSES))).toEqual([]);
  });

  it.each(codes.map((one) => [one.code, one] as const))('%s', async (code, { status, message }) => {
    const error = await refused([code, message, status]);

    expect(error.name).toBe(CLASSES[code]);
    expect(error).toMatchObject({ serviceCode: code, status });
    expect(error.message).toContain(message);
    expect(error.code).toMatch(/^Dis[A-Z]/);
    expect(error.retryable).toBe(/Throttled|Server|Conflict/.test(error.name));
  });

  it.each(['DIS.5001', 'DIS.5250', 'DIS.5999'])(
    '%s is the service’s own failure, whatever its status',
    async (code) => {
      expect((await refused([code, 'System error.', 400])).name).toBe('ServerError');
    },
  );

  it.each(bodies_seen)('reads $errorCode as it was seen live', async ({ errorCode, message }) => {
    expect((await refused([errorCode, message])).message).toContain(message);
  });

  it('reads the spelling of the documentation', async () => {
    const world = new World(() => ({ status: 400, body: { error_code: 'DIS.4301', error_msg: 'gone' } }), {
      retry: once,
    });

    const error = await failure(world.client.getApp('a'));

    expect(error).toMatchObject({ name: 'NotFoundError', serviceCode: 'DIS.4301' });
    expect(error.message).toBe('GET /apps/a: DIS.4301 gone (status 400)');
  });

  it.each([
    [401, 'AuthenticationError'],
    [403, 'ForbiddenError'],
    [404, 'NotFoundError'],
    [410, 'NotFoundError'],
    [413, 'TooLargeError'],
    [418, 'UnknownRefusalError'],
    [429, 'ThrottledError'],
    [441, 'AuthenticationError'],
    [500, 'ServerError'],
    [503, 'ServerError'],
  ])('a status %i without a code is a %s', async (status, name) => {
    const world = new World(() => ({ status, body: '<html>no JSON</html>' }), { retry: once });

    expect(await failure(world.client.getStream('s'))).toMatchObject({ name, status, serviceCode: '' });
  });

  it('a refusal of the gateway with 403 is one of the credentials', async () => {
    expect((await refused(['APIGW.0301', 'Incorrect IAM authentication information', 403])).name).toBe(
      'AuthenticationError',
    );
  });
});

describe('clock skew', () => {
  it('tells by how much', async () => {
    const date = new Date('2026-01-06T10:20:00Z').toUTCString();
    const world = new World(() => ({ ...refusal('DIS.4105', 'Invalid X-Sdk-Date header.', 441), headers: { date } }));

    const error = await failure(world.client.getStream('s'));

    expect(error).toMatchObject({ name: 'ClockSkewError', code: 'DisClockSkew', retryable: false, skewMs: -1_200_000 });
    expect(error.message).toContain('our clock is -1200 s off');
    expect(world.sent).toHaveLength(1);
  });
});

describe('a blocked address', () => {
  it('is not asked again, and says for how long', async () => {
    const world = new World(() => refusal('DIS.4309', 'Too many request failures.'));

    expect(await failure(world.client.getStream('s'))).toMatchObject({
      name: 'ThrottledError',
      retryAfterMs: 1_800_000,
    });
    expect(world.sent).toHaveLength(1);
  });
});

describe('replies that are none', () => {
  it.each(['not JSON', '{"stream_name":', '[1]', '"text"', '{}', '<html></html>'])('%s', async (body) => {
    const world = new World(() => ({ headers: { 'content-type': 'application/json' }, body }));

    const error = await failure(world.client.getStream('s'));

    expect(error).toMatchObject({ name: 'UnparsableReplyError', code: 'DisUnparsableReply', retryable: false });
    expect(error.message).not.toContain('html');
  });

  it('an answer of fewer results than records', async () => {
    const world = new World(() => ({ body: { failed_record_count: 0, records: [] } }));

    expect((await failure(world.client.uploadData('s', { records: [{ data: 'a' }] }))).message).toBe(
      'the answer to the upload has 0 results for 1 records',
    );
  });

  it('a list that lacks what it must have', async () => {
    const world = new World(() => ({ body: { apps: [{}], has_more_app: false } }));

    expect((await failure(collect(world.client.apps()))).message).toBe('the app has no app_name');
  });
});
