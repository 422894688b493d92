import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Gate } from '../../../../local/servers/dis/auth.ts';
import { newCredentials } from '../../../../local/servers/dis/credentials.ts';
import { type SignedRequest, sha256Hex } from '../../../../local/servers/dis/signature.ts';
import { Tokens } from '../../../../local/servers/dis/tokens.ts';

interface Vector {
  readonly name: string;
  readonly input: {
    readonly access_key: string;
    readonly secret_key: string;
    readonly region: string;
    readonly method: string;
    readonly path: string;
    readonly query: Readonly<Record<string, string>>;
    readonly host_given: string;
    readonly headers_signed: Readonly<Record<string, string>>;
    readonly x_sdk_date: string;
    readonly body?: string;
    readonly body_base64?: string;
  };
  readonly expect: { readonly authorization: string };
}

const { vectors } = JSON.parse(
  readFileSync(new URL('../../../fixtures/dis/signatures.json', import.meta.url), 'utf8'),
) as { vectors: Vector[] };

const msOf = (date: string) =>
  Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));

function gateOf({ input }: Vector): Gate {
  const credentials = { ...newCredentials(), accessKey: input.access_key, secretKey: input.secret_key };
  const tokens = new Tokens(credentials, input.region, () => '');
  return new Gate({ credentials, region: input.region, mode: 'both', tokens });
}

const bodyOf = ({ input }: Vector): Buffer =>
  input.body_base64 === undefined ? Buffer.from(input.body ?? '') : Buffer.from(input.body_base64, 'base64');

/** The request as it is on the wire: what was not encoded in the vector is encoded. */
function requestOf({ input, expect: expected }: Vector): SignedRequest {
  const search = Object.entries(input.query)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join('&');
  return {
    method: input.method,
    pathname: encodeURI(input.path),
    search,
    headers: { ...input.headers_signed, host: input.host_given, authorization: expected.authorization },
  };
}

const byName = (name: string): Vector => vectors.find((vector) => vector.name === name)!;

function codeOf(check: () => void): string {
  try {
    check();
    return 'accepted';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** Checks the vector with one thing changed. */
function outcome(
  vector: Vector,
  change: { headers?: Record<string, string>; search?: string; body?: string; method?: string; byMs?: number },
): string {
  const request = requestOf(vector);
  const headers: Record<string, string> = { ...request.headers, ...change.headers };
  for (const [name, value] of Object.entries(headers)) if (value === 'absent') delete headers[name];
  const changed = {
    ...request,
    method: change.method ?? request.method,
    search: change.search ?? request.search,
    headers,
  };
  const body = change.body === undefined ? bodyOf(vector) : Buffer.from(change.body);
  return codeOf(() => gateOf(vector).check(changed, body, msOf(vector.input.x_sdk_date) + (change.byMs ?? 0)));
}

describe('the gate', () => {
  it.each(vectors.map((vector) => [vector.name, vector] as const))('lets %s in', (_, vector) => {
    expect(outcome(vector, {})).toBe('accepted');
  });

  it.each(vectors.map((vector) => [vector.name, vector] as const))('keeps %s out with another body', (name, vector) => {
    const isUnsigned = name === 'unsigned-payload-header';
    expect(outcome(vector, { body: 'other' })).toBe(isUnsigned ? 'accepted' : 'DIS.4112');
  });

  const list = byName('list-streams-paged');
  const authorization = (from: string | RegExp, to: string) => ({
    headers: { authorization: list.expect.authorization.replace(from, to) },
  });
  const otherHash = `Signature=${sha256Hex('other')}`;

  it.each([
    ['no authorization', { headers: { authorization: 'absent' } }, 'DIS.4101'],
    ['another method', { method: 'POST' }, 'DIS.4112'],
    ['another query', { search: 'limit=100&start_stream_name=s3' }, 'DIS.4112'],
    ['the query in another order', { search: 'start_stream_name=s2&limit=100' }, 'accepted'],
    ['another host', { headers: { host: 'elsewhere' } }, 'DIS.4112'],
    ['another signature', authorization(/Signature=.*/, otherHash), 'DIS.4112'],
    ['nonsense', { headers: { authorization: 'SDK-HMAC-SHA256 nonsense' } }, 'DIS.4102'],
    ['an unknown algorithm', authorization('SDK-HMAC-SHA256', 'SDK-HMAC-MD5'), 'DIS.4109'],
    ['no signed headers', authorization(/SignedHeaders=[^,]*, /, ''), 'DIS.4109'],
    ['no signature', authorization(/, Signature=.*/, ''), 'DIS.4110'],
    ['no credential', authorization(/Credential=[^,]*, /, ''), 'DIS.4106'],
    ['an unknown access key', authorization('Credential=AK', 'Credential=XK'), 'DIS.4107'],
    ['another service', authorization('/dis/', '/obs/'), 'DIS.4108'],
    ['another region', authorization('/eu-de/', '/eu-nl/'), 'DIS.4111'],
    ['no date', { headers: { 'x-sdk-date': 'absent' } }, 'DIS.4103'],
    ['a date that is none', { headers: { 'x-sdk-date': '2024' } }, 'DIS.4104'],
    ['a date of another day', { headers: { 'x-sdk-date': '20240103T030405Z' }, byMs: 86_400_000 }, 'DIS.4105'],
    ['a clock that is 15 minutes ahead', { byMs: 900_000 }, 'accepted'],
    ['a clock that is more ahead', { byMs: 901_000 }, 'DIS.4105'],
    ['a clock that is behind', { byMs: -901_000 }, 'DIS.4105'],
    ['a wrong token, whatever the signature', { headers: { 'x-auth-token': 'wrong' } }, 'DIS.4114'],
    ['an empty token', { headers: { 'x-auth-token': '' } }, 'DIS.4113'],
  ])('answers %s as the service does', (_, change, code) => {
    expect(outcome(list, change)).toBe(code);
  });

  it('knows the two forms of the API gateway', () => {
    const { input } = list;
    const canonical = [
      'GET',
      `${input.path}/`,
      'limit=100&start_stream_name=s2',
      `host:${input.host_given}\nx-sdk-date:${input.x_sdk_date}\n`,
      'host;x-sdk-date',
      sha256Hex(''),
    ].join('\n');
    const hmac = (key: string | Buffer, text: string | Buffer) => createHmac('sha256', key).update(text).digest();
    const plain = hmac(input.secret_key, `SDK-HMAC-SHA256\n${input.x_sdk_date}\n${sha256Hex(canonical)}`);
    const scope = '20240102/eu-de/dis';
    const derivedKey = hmac(hmac(input.access_key, input.secret_key), Buffer.from(`${scope}\u0001`));
    const text = `V11-HMAC-SHA256\n${input.x_sdk_date}\n${scope}\n${sha256Hex(canonical)}`;
    const derived = hmac(derivedKey.toString('hex'), text);
    const signed = (who: string, signature: Buffer) =>
      `${who}, SignedHeaders=host;x-sdk-date, Signature=${signature.toString('hex')}`;

    const outcomes = [
      signed(`SDK-HMAC-SHA256 Access=${input.access_key}`, plain),
      signed(`V11-HMAC-SHA256 Credential=${input.access_key}/${scope}`, derived),
      signed(`SDK-HMAC-SHA256 Access=${input.access_key}`, randomBytes(32)),
      signed(`V11-HMAC-SHA256 Access=${input.access_key}`, plain),
    ].map((value) => outcome(list, { headers: { authorization: value } }));

    expect(outcomes).toEqual(['accepted', 'accepted', 'DIS.4112', 'DIS.4109']);
  });
});
