import { describe, expect, it } from 'vitest';
import { HttpSensorConnector } from '../../../../../shared/connectors/async/built-in/http/sensor-http.ts';
import type { JsonObject } from '../../../../../shared/core/json.ts';
import { type Answer, aContext, aRequest, failure, kept, serve } from './harness.ts';

const SECRET = 'canary-sensor-secret';
const connector = new HttpSensorConnector({ sleep: async () => {}, random: () => 0 });

async function sensed(custom: JsonObject, answer: Answer) {
  const { url, asked } = await serve(() => answer);
  const context = aContext({ secrets: { key: SECRET }, configs: { baseUrl: url } });
  const request = aRequest('sensor.http', { url: '/ready/{{.inputs.day}}', ...custom }, { inputs: { day: '2026/01' } });
  const handle = kept(connector, await connector.create(request, context), [SECRET]);
  return { resource: await connector.get(handle, context), asked, handle, context };
}

describe('sensor.http', () => {
  it.each<[string, JsonObject, Answer, JsonObject]>([
    ['any 2xx', {}, { status: 204 }, { status: 204 }],
    ['a status it waits for', { status: [404] }, { status: 404 }, { status: 404 }],
    ['a status that is an error elsewhere', { status: [503] }, { status: 503 }, { status: 503 }],
    ['a value that is there', { json: { path: '$.at' } }, { json: { at: 0 } }, { status: 200, value: 0 }],
    [
      'a value',
      { json: { path: '$.s', equals: { a: [1] } } },
      { json: { s: { a: [1] } } },
      { status: 200, value: { a: [1] } },
    ],
    [
      'a header that is there',
      { header: { name: 'X-Done' } },
      { headers: { 'x-done': '' } },
      { status: 200, value: '' },
    ],
    [
      'a header',
      { header: { name: 'etag', equals: '"1"' } },
      { headers: { etag: '"1"' } },
      { status: 200, value: '"1"' },
    ],
    [
      'a header, by HEAD',
      { method: 'HEAD', header: { name: 'etag' } },
      { headers: { etag: 'e' } },
      { status: 200, value: 'e' },
    ],
  ])('fires at %s', async (_name, custom, answer, outputs) => {
    const { resource, asked } = await sensed(custom, answer);

    expect(resource).toEqual({ phase: 'SUCCEEDED', outputs });
    expect(asked[0]?.path).toBe('/ready/2026%2F01');
  });

  it.each<[string, JsonObject, Answer, string]>([
    ['another status', {}, { status: 404 }, 'waiting: the status is 404'],
    ['another 2xx', { status: [200] }, { status: 202 }, 'waiting: the status is 202'],
    ['no value', { json: { path: '$.at' } }, { json: { at: null } }, 'waiting: there is nothing at $.at'],
    ['another value', { json: { path: '$.s', equals: 'done' } }, { json: { s: 'busy' } }, 'waiting: $.s is "busy"'],
    ['a value of another type', { json: { path: '$.s', equals: 1 } }, { json: { s: '1' } }, 'waiting: $.s is "1"'],
    ['no JSON', { json: { path: '$.s' } }, { text: '<html>' }, 'waiting: the body is not JSON'],
    ['no header', { header: { name: 'x-a' } }, {}, 'waiting: there is no header x-a'],
    ['another header', { header: { name: 'x-a', equals: '1' } }, { headers: { 'x-a': '2' } }, 'waiting: x-a is "2"'],
  ])('waits at %s', async (_name, custom, answer, message) => {
    expect((await sensed(custom, answer)).resource).toEqual({ phase: 'RUNNING', message });
  });

  it.each([
    [401, 'Unauthenticated', false],
    [403, 'PermissionDenied', false],
    [429, 'Throttled', true],
    [500, 'Unavailable', true],
  ])('%i is %s', async (status, code, retryable) => {
    expect(await failure(sensed({}, { status, headers: { 'retry-after': '3' } }))).toMatchObject({
      code,
      retryable,
      retryAfterMs: 3000,
    });
  });

  it("asks with the connection's secret, which goes nowhere else", async () => {
    const auth = { type: 'header', header: 'x-key', secret: 'key' };
    const { asked, handle, context } = await sensed({ auth }, {});
    const other = await serve(() => ({}));

    expect(asked[0]?.headers['x-key']).toBe(SECRET);
    expect(await failure(connector.get({ ...handle, url: other.url }, context))).toMatchObject({
      code: 'BadTaskSpecification',
    });
    expect(other.asked).toEqual([]);
  });

  it('starts nothing: two handles are one, and there is nothing to stop', async () => {
    const { handle, context } = await sensed({}, {});
    const request = aRequest('sensor.http', { url: '/ready/{{.inputs.day}}' }, { inputs: { day: '2026/01' } });

    expect(await connector.create(request, context)).toEqual(handle);
    await connector.delete();
    await connector.delete();
  });

  it.each<[string, JsonObject]>([
    ['a metadata service', { url: 'http://169.254.169.254/latest/meta-data/' }],
    ['one behind IPv6', { url: 'http://[::ffff:a9fe:a9fe]/' }],
    ['one by its name', { url: 'http://metadata.google.internal/' }],
    ['a link-local address', { url: 'http://169.254.1.1/' }],
    ['loopback, if told to', { url: 'http://127.0.0.1/', refusePrivateAddresses: true }],
    ['a header that cannot be sent', { url: 'http://a.test/', headers: { a: '\r\nb: c' } }],
    ['an origin its secret may not go to', { url: 'http://a.test/', auth: { type: 'bearer', secret: 'key' } }],
  ])('refuses %s', async (_name, custom) => {
    const context = aContext({ secrets: { key: SECRET }, configs: { baseUrl: 'https://b.test' } });

    expect(await failure(connector.create(aRequest('sensor.http', custom), context))).toMatchObject({
      code: 'BadTaskSpecification',
    });
  });

  it('refuses a name that leads to a metadata service when it looks', async () => {
    const misled = new HttpSensorConnector({
      resolveAll: (_name, answer) => answer(null, [{ address: '169.254.169.254', family: 4 }]),
    });
    const handle = await misled.create(aRequest('sensor.http', { url: 'http://a.test/' }), aContext());

    expect(await failure(misled.get(handle, aContext()))).toMatchObject({
      code: 'BadTaskSpecification',
      retryable: false,
    });
  });

  it.each<[string, JsonObject]>([
    ['a file', { url: 'file:///etc/passwd' }],
    ['JSON of a HEAD', { url: 'http://a.test/', method: 'HEAD', json: { path: '$.a' } }],
    ['a path that is none', { url: 'http://a.test/', json: { path: 'a' } }],
    ['a method that changes something', { url: 'http://a.test/', method: 'POST' }],
    ['no status', { url: 'http://a.test/', status: [] }],
    ['a setting it does not know', { url: 'http://a.test/', statuses: [200] }],
  ])('refuses %s', async (_name, custom) => {
    expect(await failure(connector.create(aRequest('sensor.http', custom), aContext()))).toMatchObject({
      code: 'BadTaskSpecification',
    });
  });
});
