import { describe, expect, it } from 'vitest';
import { parseCredential } from '../../../../shared/connectors/dis/access.ts';
import { type DisOptions, dis } from '../../../../shared/connectors/dis/dis.ts';
import { rangeMetadata, rangeOf } from '../../../../shared/connectors/dis/position.ts';

const options = (more: object) => ({ stream: 's', app: 'a', ...more }) as DisOptions;
const complaintOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it was taken');
};

describe('the options of dis', () => {
  it.each([
    [{ stream: 'no/name' }, 'the stream name must be 1 to 64 of A-Z a-z 0-9 - _, got "no/name"'],
    [{ app: '' }, 'the app name must be 1 to 200'],
    [{ form: 1 }, 'unknown option "form"; the allowed ones are stream, app, from, framing, recordsPerRange'],
    [{ recordsPerRange: 0 }, '"recordsPerRange" must be'],
    [{ maxFetchBytes: 99_999_999 }, '"maxFetchBytes" must be'],
    [{ from: 'then' }, '"from" must be "earliest", "latest", { sequenceNumber'],
    [{ from: { time: 'soon' } }, '"from" must be'],
    [{ from: { sequenceNumber: -1 } }, '"from" must be'],
    [{ from: { sequenceNumber: 1, time: '2026-01-01' } }, '"from" must be'],
    [{ from: { offset: 1 } }, '"from" must be'],
    [{ framing: 'csv' }, '"framing" must be "ndjson", "raw", "length-prefixed"'],
    [{ framing: { as: 'raw', data: 'text' } }, '"framing" must be'],
    [{ framing: { as: 'ndjson', data: 'hex' } }, '"framing" must be'],
    [{ framing: { as: 'raw', delimiter: 'x'.repeat(65) } }, '"framing" must be'],
  ])('%j is refused by name', (more, message) => {
    expect(complaintOf(() => dis(options(more)))).toContain(message);
  });

  it('only what decides the bytes of a range is part of its identity', () => {
    const { identity } = dis(options({}));

    for (const more of [{ app: 'b' }, { from: 'latest' }, { recordsPerRange: 7 }, { endpoint: 'http://127.0.0.1:1' }])
      expect(dis(options(more)).identity).toEqual(identity);
    for (const more of [{ stream: 't' }, { framing: 'raw' }, { framing: { as: 'ndjson', data: 'text' } }])
      expect(dis(options(more)).identity).not.toEqual(identity);
    expect(dis(options({ framing: { as: 'ndjson' } })).identity).toEqual(identity);
  });

  it('what is for one pipeline alone is the app on the stream, where that is', () => {
    const { exclusive } = dis(options({ region: 'eu-de' }));

    expect(exclusive).toBe('the app a on the DIS stream s of eu-de');
    expect(dis(options({ region: 'eu-de', framing: 'raw', from: 'latest' })).exclusive).toBe(exclusive);
    for (const more of [{ app: 'b' }, { stream: 't' }, { region: 'eu-nl' }, { projectId: 'p' }])
      expect(dis(options({ region: 'eu-de', ...more })).exclusive).not.toBe(exclusive);
  });
});

describe('the secret', () => {
  const keys = { accessKey: 'AK', secretKey: 'SK' };
  const login = { iamUrl: 'https://iam', user: 'u', password: 'p', domain: 'd', projectName: 'n' };

  it.each([
    [keys, { credentials: keys }],
    [{ ...keys, securityToken: 'T' }, { credentials: { ...keys, securityToken: 'T' } }],
    [
      { ...keys, projectId: 'P', token: 'of the local server' },
      { credentials: keys, projectId: 'P' },
    ],
    [{ token: 'T', url: 'http://x' }, { credentials: { token: 'T' } }],
    [login, { credentials: login }],
  ])('%j', (secret, access) => {
    expect(parseCredential(JSON.stringify(secret))).toEqual(access);
  });

  it.each([
    ['not-json-secret', 'it is no JSON'],
    ['"a text"', 'it is no object'],
    ['{}', 'it has none of accessKey, token, iamUrl'],
    ['{"accessKey":"not-shown"}', 'secretKey is missing'],
    ['{"token":""}', 'token is missing'],
    ['{"iamUrl":"x","user":"not-shown"}', 'password is missing'],
  ])('%s is refused, and not shown', (secret, message) => {
    const complaint = complaintOf(() => parseCredential(secret));

    expect(complaint).toContain(message);
    expect(complaint).not.toContain('not-shown');
    expect(complaint).not.toContain('not-json-secret');
  });
});

describe('a range', () => {
  it('of the largest numbers there are keeps them', () => {
    const range = {
      streamId: 'i',
      partition: 'shardId-0000000000',
      from: 9_223_372_036_854_775_000n,
      to: 2n ** 63n - 1n,
    };

    const metadata = rangeMetadata(range);

    expect(metadata.name).toBe('9223372036854775000-9223372036854775806');
    expect(rangeOf(JSON.parse(JSON.stringify(metadata)))).toEqual(range);
  });

  it('has a name that sorts as its numbers do', () => {
    const names = [9n, 10n, 1000n].map(
      (from) => rangeMetadata({ streamId: 'i', partition: 'p', from, to: from + 1n }).name,
    );

    expect(names.toSorted()).toEqual(names);
  });
});
