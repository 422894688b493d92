import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { S3SensorConnector } from '../../../../../shared/connectors/async/built-in/aws/sensor-s3.ts';
import type { JsonObject } from '../../../../../shared/core/json.ts';
import { S3Server } from '../../../../support/s3-server.ts';
import { aContext, aRequest, failure, kept } from './harness.ts';

const SECRETS = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'canary-secret', sessionToken: 'canary-session' };
let server: S3Server;
beforeEach(async () => {
  server = await S3Server.start();
  vi.stubEnv('AWS_MAX_ATTEMPTS', '1');
  vi.stubEnv('AWS_REGION', 'eu-central-1');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await server.close();
});

const connector = new S3SensorConnector();
const contextOf = (secrets: Record<string, string> = SECRETS) =>
  aContext({ secrets, configs: { endpoint: server.url } });

async function sensed(custom: JsonObject, inputs: JsonObject = {}) {
  const request = aRequest('sensor.s3', { bucket: 'b', ...custom }, { inputs });
  return connector.get(kept(connector, await connector.create(request), Object.values(SECRETS)), contextOf());
}

describe('sensor.s3', () => {
  it('fires when the object is there', async () => {
    server.put('day=1/a.csv', 'abc');
    server.put('day=1/a.csv.part', 'x');

    expect(await sensed({ key: 'day={{.inputs.day}}/a.csv' }, { day: 1 })).toEqual({
      phase: 'SUCCEEDED',
      outputs: {
        bucket: 'b',
        key: 'day=1/a.csv',
        objects: 1,
        bytes: 3,
        etag: '"900150983cd24fb0d6963f7d28e17f72"',
        lastModified: '2026-01-01T00:00:00.000Z',
      },
    });
  });

  it.each<[string, JsonObject, string]>([
    ['a longer key only', { key: 'day=1/a' }, 'waiting: there is no object, with 0 of 0 bytes'],
    ['too small an object', { key: 'day=1/a.csv', minBytes: 4 }, 'waiting: there is an object, with 3 of 4 bytes'],
    ['no object', { prefix: 'day=2/' }, 'waiting: there is 0 of 1 objects, with 0 of 0 bytes'],
    ['too few', { prefix: 'day=1/', minObjects: 3 }, 'waiting: there is 2 of 3 objects, with 5 of 0 bytes'],
    ['too little', { prefix: 'day=1/', minBytes: 6 }, 'waiting: there is 2 of 1 objects, with 5 of 6 bytes'],
  ])('waits at %s', async (_name, custom, message) => {
    server.put('day=1/', '');
    server.put('day=1/a.csv', 'abc');
    server.put('day=1/b.csv', 'de');

    expect(await sensed(custom)).toEqual({ phase: 'RUNNING', message });
  });

  it('counts over pages, and no further than it must', async () => {
    server.pageSize = 10;
    for (let n = 10; n < 60; n++) server.put(`p/${n}`, 'x');

    expect(await sensed({ prefix: 'p/', minObjects: 25 })).toMatchObject({
      phase: 'SUCCEEDED',
      outputs: { objects: 30, bytes: 30 },
    });
    expect(server.requests).toHaveLength(3);
    expect(await sensed({ prefix: 'p/', minObjects: 51 })).toMatchObject({ phase: 'RUNNING' });
  });

  it.each([
    [403, 'AccessDenied', 'PermissionDenied', false],
    [403, 'InvalidAccessKeyId', 'Unauthenticated', false],
    [403, 'SignatureDoesNotMatch', 'Unauthenticated', false],
    [400, 'ExpiredToken', 'Unauthenticated', false],
    [404, 'NoSuchBucket', 'BadTaskSpecification', false],
    [405, 'MethodNotAllowed', 'AwsRefused', false],
  ])('%i %s is %s', async (status, name, code, retryable) => {
    server.faults.push({ status, code: name });

    const error = await failure(sensed({ key: 'a' }));

    expect(error).toMatchObject({ code, retryable });
    expect(error.message).toContain(name);
  });

  it.each([
    [503, 'SlowDown', 'Throttled'],
    [429, 'TooManyRequests', 'Throttled'],
    [500, 'InternalError', 'Unavailable'],
  ])('%i %s is %s', async (status, name, code) => {
    server.faults.push({ status, code: name });

    expect(await failure(sensed({ key: 'a' }))).toMatchObject({ code, retryable: true });
  });

  it('asks with the credentials of its own connection', async () => {
    const handle = await connector.create(aRequest('sensor.s3', { bucket: 'b', key: 'a' }));
    await connector.get(handle, contextOf());
    await connector.get(handle, contextOf({ accessKeyId: 'AKIAOTHER', secretAccessKey: 'other-secret' }));
    await connector.get(handle, contextOf());

    const keys = server.requests.map(({ headers }) => /Credential=(\w+)/.exec(headers.authorization ?? '')?.[1]);
    expect(keys).toEqual(['AKIAEXAMPLE', 'AKIAOTHER', 'AKIAEXAMPLE']);
  });

  it.each<[string, JsonObject]>([
    ['neither key nor prefix', { bucket: 'b' }],
    ['both', { bucket: 'b', key: 'a', prefix: 'a' }],
    ['several objects of one key', { bucket: 'b', key: 'a', minObjects: 2 }],
    ['no bucket', { key: 'a' }],
    ['an endpoint of its own', { bucket: 'b', key: 'a', endpoint: 'http://evil.test' }],
    ['less than nothing', { bucket: 'b', prefix: 'a', minBytes: -1 }],
  ])('refuses %s', async (_name, custom) => {
    expect(await failure(connector.create(aRequest('sensor.s3', custom)))).toMatchObject({
      code: 'BadTaskSpecification',
    });
  });

  it.each([
    ['region', { region: 'evil.test/' }],
    ['region', { region: 'x'.repeat(41) }],
  ])('refuses a %s that would make another host', async (_name, custom) => {
    expect(await failure(sensed({ key: 'a', ...custom }))).toMatchObject({ code: 'BadTaskSpecification' });
    expect(server.requests).toEqual([]);
  });

  it('starts nothing, so there is nothing to stop', async () => {
    await connector.delete();
    await connector.delete();
  });
});
