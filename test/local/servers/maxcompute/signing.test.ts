import { describe, expect, it } from 'vitest';
import { ServerClock } from '../../../../local/servers/common/clock.ts';
import { Accounts } from '../../../../local/servers/maxcompute/auth/accounts.ts';
import {
  classicSignature,
  decodedParams,
  stringToSign,
  twiceDecodedParams,
  v4Signature,
} from '../../../../local/servers/maxcompute/auth/signing.ts';
import { fixture } from './api.ts';

interface Case {
  readonly name: string;
  readonly scheme: string;
  readonly region?: string;
  readonly access_key_id: string;
  readonly secret_access_key: string;
  readonly security_token?: string;
  readonly app_access_key_id?: string;
  readonly app_secret_access_key?: string;
  readonly application_authentication?: string;
  readonly method: string;
  readonly url_as_sent?: string;
  readonly path?: string;
  readonly endpoint?: string;
  readonly headers_before_signing?: Record<string, string>;
  readonly headers_added?: Record<string, string>;
  readonly string_to_sign?: string;
  readonly authorization?: string;
  readonly string_to_sign_pyodps?: string;
  readonly string_to_sign_raw_values?: string;
  readonly signature_pyodps?: string;
  readonly signature_raw_values?: string;
}

const { cases } = fixture<{ cases: readonly Case[] }>('signatures');
const SIGNED_AT = new Date('2025-11-20T08:00:00Z');
const HEADERS = {
  'content-type': 'application/json; charset=utf-8',
  date: 'Thu, 20 Nov 2025 08:00:00 GMT',
  'x-odps-user-agent': 'vector-client/1.0',
};

const lowerCase = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

function requestOf({ method, url_as_sent: url = '', path, headers_before_signing: headers = HEADERS }: Case) {
  const [, pathname = '', search = ''] = /^https?:\/\/[^/]+([^?]*)\??(.*)$/.exec(url) ?? [];
  return { method, path: path ?? pathname, search, headers: lowerCase(headers) };
}

function accountsOf(of: Case, now = SIGNED_AT): Accounts {
  const credentials = {
    ...{ accessId: of.access_key_id, accessKey: of.secret_access_key },
    ...(of.security_token && { securityToken: of.security_token }),
    ...(of.app_access_key_id && {
      application: { accessId: of.app_access_key_id, accessKey: of.app_secret_access_key! },
    }),
  };
  return new Accounts(credentials, new ServerClock(() => now));
}

const plain = cases.filter(
  ({ string_to_sign: text, scheme }) => text !== undefined && (scheme === 'classic' || scheme === 'v4'),
);
const quirks = cases.filter(({ string_to_sign_pyodps: text }) => text !== undefined);

describe('signatures', () => {
  it.each(plain)('$name: is what the vector says, and is accepted', (of) => {
    const request = requestOf(of);

    const text = stringToSign({ ...request, params: decodedParams(request.search) });

    expect(text).toBe(of.string_to_sign);
    const signature =
      of.scheme === 'v4'
        ? v4Signature(of.secret_access_key, '20251120', of.region!, text)
        : classicSignature(of.secret_access_key, text);
    expect(of.authorization!.endsWith(`:${signature}`)).toBe(true);
    const authorized = { ...request, headers: { ...request.headers, authorization: of.authorization! } };
    expect(() => accountsOf(of).check(authorized)).not.toThrow();
  });

  it.each(quirks)('$name: both readings of the query are accepted', (of) => {
    const request = requestOf(of);

    const raw = stringToSign({ ...request, params: decodedParams(request.search) });
    const twice = stringToSign({ ...request, params: twiceDecodedParams(request.search) });

    expect({ raw, twice }).toEqual({ raw: of.string_to_sign_raw_values, twice: of.string_to_sign_pyodps });
    for (const signature of [of.signature_raw_values, of.signature_pyodps]) {
      const authorization = `ODPS ${of.access_key_id}:${signature}`;
      expect(() => accountsOf(of).check({ ...request, headers: { ...request.headers, authorization } })).not.toThrow();
    }
  });

  it('wants the token of temporary keys', () => {
    const of = cases.find(({ scheme }) => scheme.startsWith('sts'))!;
    const request = requestOf(of);
    const headers = { ...request.headers, ...lowerCase(of.headers_added!) };

    expect(() => accountsOf(of).check({ ...request, headers })).not.toThrow();
    expect(() =>
      accountsOf(of).check({ ...request, headers: { ...headers, 'authorization-sts-token': 'other' } }),
    ).toThrow('security token');
  });

  it('checks the second signature of an application', () => {
    const of = cases.find((one) => one.app_access_key_id !== undefined)!;
    const request = { ...requestOf(plain[0]!), ...{} };
    const headers = {
      ...request.headers,
      authorization: of.authorization!,
      'application-authentication': of.application_authentication!,
    };

    expect(() => accountsOf(of).check({ ...request, headers })).not.toThrow();
    const other = headers['application-authentication'].replace(/signature:.*/, 'signature:AAAA');
    expect(() =>
      accountsOf(of).check({ ...request, headers: { ...headers, 'application-authentication': other } }),
    ).toThrow('application');
  });

  it.each([
    ['a minute over a quarter of an hour late', new Date('2025-11-20T08:16:00Z'), 'RequestTimeTooSkewed'],
    ['a minute over a quarter of an hour early', new Date('2025-11-20T07:44:00Z'), 'RequestTimeTooSkewed'],
  ])('refuses what comes %s', (_when, now, code) => {
    const of = plain[0]!;
    const request = requestOf(of);
    const headers = { ...request.headers, authorization: of.authorization! };

    expect(() => accountsOf(of, now).check({ ...request, headers })).toThrow(
      expect.objectContaining({ code, status: 401 }),
    );
  });

  it.each([
    [undefined, 'Unauthorized'],
    ['ODPS OTHER:abc', 'InvalidAccessKeyId'],
    ['ODPS TESTACCESSKEYID0:abc', 'SignatureNotMatch'],
    ['ODPS TESTACCESSKEYID0/20251122/cn-hangzhou/odps/aliyun_v4_request:abc', 'Unauthorized'],
  ])('refuses %s', (authorization, code) => {
    const of = plain[0]!;
    const request = requestOf(of);
    const headers = { ...request.headers, ...(authorization && { authorization }) };

    expect(() => accountsOf(of).check({ ...request, headers })).toThrow(expect.objectContaining({ code, status: 401 }));
  });

  it('takes its own bearer tokens until they expire', () => {
    let now = SIGNED_AT;
    const accounts = new Accounts({ accessId: 'A', accessKey: 'K' }, new ServerClock(() => now));
    const token = accounts.bearerToken(60);
    const request = { method: 'POST', path: '/api/storage/v2', search: '', headers: { 'x-odps-bearer-token': token } };

    expect(Buffer.from(token, 'base64').toString().split(',')).toEqual(['A', expect.any(String), '1763625660']);
    expect(() => accounts.check(request)).not.toThrow();
    now = new Date('2025-11-20T08:01:00Z');
    expect(() => accounts.check(request)).toThrow(expect.objectContaining({ code: 'AuthenticationRequestExpired' }));
    const forged = Buffer.from('A,x,9999999999').toString('base64');
    expect(() => accounts.check({ ...request, headers: { 'x-odps-bearer-token': forged } })).toThrow('not valid');
  });
});
