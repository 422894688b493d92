import { describe, expect, it } from 'vitest';
import {
  DEFAULT_V4_PREFIX,
  signApplication,
  signClassic,
  signV4,
  stringToSign,
  v4SigningKey,
} from '../../../../shared/clients/maxcompute/auth/signature.ts';
import { failure } from '../../../support/client-calls.ts';
import { ACCESS_ID, fixture, refusal, SECRET, World } from './harness.ts';

interface Case {
  readonly name: string;
  readonly scheme: string;
  readonly region?: string | null;
  readonly method: string;
  readonly path: string;
  readonly query_params_unencoded: Record<string, string>;
  readonly url_as_sent: string;
  readonly headers_before_signing: Record<string, string>;
  readonly string_to_sign: string;
  readonly string_to_sign_raw_values: string;
  readonly authorization: string;
  readonly signature_raw_values: string;
  readonly v4_key_chain_hex: { readonly k_signing: string };
  readonly security_token: string;
  readonly bearer_token: string;
  readonly bearer_expiry_epoch_from_third_field: number;
  readonly app_access_key_id: string;
  readonly app_secret_access_key: string;
  readonly application_authentication: string;
}

const { cases } = fixture<{ cases: Case[] }>('signatures');
const named = (name: string) => cases.find((one) => one.name === name)!;
const DATE = 'Thu, 20 Nov 2025 08:00:00 GMT';
const JSON_HEADERS = {
  'Content-Type': 'application/json; charset=utf-8',
  'x-odps-user-agent': 'vector-client/1.0',
  Date: DATE,
};
const session = { json: { SessionId: 'rs-1', SessionStatus: 'NORMAL' } };

describe('the string to sign, and signatures', () => {
  const signed = cases.filter(({ scheme, name }) => /^(classic|v4)$/.test(scheme) && !name.startsWith('quirk'));

  it.each(signed.map((one) => [one.name, one] as const))('%s', (_name, one) => {
    const text = stringToSign({
      method: one.method,
      resource: one.path,
      query: one.query_params_unencoded,
      headers: one.headers_before_signing,
    });
    expect(text).toBe(one.string_to_sign);

    if (one.scheme === 'classic') {
      expect(signClassic(ACCESS_ID, SECRET, text)).toBe(one.authorization);
    } else {
      const scope = { date: '20251120', region: one.region!, prefix: DEFAULT_V4_PREFIX };
      const key = v4SigningKey(SECRET, scope);
      expect(Buffer.from(key).toString('hex')).toBe(one.v4_key_chain_hex.k_signing);
      expect(signV4(ACCESS_ID, key, scope, text)).toBe(one.authorization);
    }
  });

  it.each(cases.filter(({ name }) => name.startsWith('quirk')).map((one) => [one.name, one] as const))(
    '%s: raw values are signed',
    (_name, one) => {
      const url = new URL(one.url_as_sent);

      const text = stringToSign({
        method: one.method,
        resource: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: JSON_HEADERS,
      });

      expect(text).toBe(one.string_to_sign_raw_values);
      expect(signClassic(ACCESS_ID, SECRET, text)).toContain(one.signature_raw_values);
    },
  );

  it('an application signs over the signature', () => {
    const one = named('create_read_session/app_account');
    const key = { appId: one.app_access_key_id, appSecret: one.app_secret_access_key };

    expect(signApplication(key, one.authorization, DEFAULT_V4_PREFIX)).toBe(one.application_authentication);
  });
});

describe('what a client sends', () => {
  it.each([
    ['classic', undefined, 'create_read_session/classic'],
    ['version 4, for a region', 'cn-hangzhou', 'create_read_session/v4'],
  ])('%s', async (_name, region, name) => {
    const world = new World(() => session, { region });

    await world.table.createReadSession();

    const [{ headers }] = world.sent as [World['sent'][0]];
    expect(headers.get('authorization')).toBe(named(name).authorization);
    expect(headers.get('date')).toBe(DATE);
  });

  it('an STS token beside the signature', async () => {
    const one = named('create_read_session/sts');
    const world = new World(() => session, {
      credentials: { accessId: ACCESS_ID, accessKey: SECRET, securityToken: one.security_token },
    });

    await world.table.createReadSession();

    const [{ headers }] = world.sent as [World['sent'][0]];
    expect(headers.get('authorization-sts-token')).toBe(one.security_token);
    expect(headers.get('authorization')).toBe(named('create_read_session/classic').authorization);
  });

  it('a bearer token instead of a signature, asked for again before it ends', async () => {
    const one = named('create_read_session/bearer');
    let loads = 0;
    const world = new World(() => session, {
      credentials: () => {
        loads++;
        return { bearerToken: one.bearer_token };
      },
    });

    await world.table.createReadSession();
    await world.table.createReadSession();
    expect(loads).toBe(1);
    const [{ headers }] = world.sent as [World['sent'][0]];
    expect(headers.get('x-odps-bearer-token')).toBe(one.bearer_token);
    expect(headers.get('authorization')).toBeNull();

    world.clock.moveTo(one.bearer_expiry_epoch_from_third_field * 1000);
    await world.table.createReadSession();
    expect(loads).toBe(2);
  });

  it('an application beside the signature', async () => {
    const one = named('create_read_session/app_account');
    const world = new World(() => session, {
      application: { appId: one.app_access_key_id, appSecret: one.app_secret_access_key },
    });

    await world.table.createReadSession();

    expect(world.sent[0]!.headers.get('application-authentication')).toBe(one.application_authentication);
  });

  it.each([
    ['an internal error', refusal(500, 'InternalServerError', 'AccessKey ACL Denied')],
    ['another internal error', refusal(500, 'InternalServerError', 'need AK v3 support')],
    ['an invalid parameter', refusal(400, 'InvalidParameter', 'ODPS-0410051: invalid credentials')],
    ['an authorisation error', refusal(401, 'Unauthorized', 'The request authorization header is invalid or missing.')],
  ])('an endpoint that refuses version 4 by %s is signed for classically from then on', async (name, answer) => {
    const tunnelEndpoint = `http://${encodeURIComponent(name.replaceAll(' ', '-'))}.example.com`;
    const isV4 = (text: string | null) => text?.includes('aliyun_v4_request') ?? false;
    const world = new World(({ headers }) => (isV4(headers.get('authorization')) ? answer : session), {
      region: 'cn-hangzhou',
      tunnelEndpoint,
    });

    await world.table.createReadSession();
    await world.table.createReadSession();

    expect(world.sent.map(({ headers }) => isV4(headers.get('authorization')))).toEqual([true, false, false]);
    expect(world.slept).toEqual([]);
  });

  it('credentials that have expired are loaded anew once', async () => {
    let loads = 0;
    const world = new World(() => refusal(401, 'AuthenticationRequestExpired'), {
      credentials: () => {
        loads++;
        return { accessId: ACCESS_ID, accessKey: `${SECRET}${loads}`, securityToken: `sts-token-${loads}` };
      },
    });

    const error = await failure(world.table.createReadSession());

    expect(error).toMatchObject({ name: 'AuthenticationRequestExpiredError', retryable: false });
    expect(world.sent.map(({ headers }) => headers.get('authorization-sts-token'))).toEqual([
      'sts-token-1',
      'sts-token-2',
    ]);
  });

  it.each([
    ['no id', { accessId: '', accessKey: SECRET }],
    ['no secret', { accessId: ACCESS_ID, accessKey: '' }],
    ['an id that breaks the header', { accessId: 'a:b', accessKey: SECRET }],
    ['an empty token', { bearerToken: '' }],
  ])('%s is refused at once, without showing the secret', async (_name, credentials) => {
    const error = await failure(() => new World(() => undefined, { credentials }));

    expect(error).toMatchObject({ name: 'InvalidCredentialsError', code: 'MaxComputeInvalidCredentials' });
    expect(error.message).not.toContain(SECRET);
  });

  it('secrets that the service repeats are masked', async () => {
    const world = new World(() => refusal(403, 'NoPermission', `you sent ${SECRET} and sts-secret-token`), {
      credentials: { accessId: ACCESS_ID, accessKey: SECRET, securityToken: 'sts-secret-token' },
    });

    const error = await failure(world.table.createReadSession());

    expect(error.message).toBe('you sent [redacted] and [redacted] (request REQ-1)');
    expect(JSON.stringify(error)).not.toContain(SECRET);
  });
});
