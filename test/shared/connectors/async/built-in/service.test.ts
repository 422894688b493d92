import { describe, expect, it } from 'vitest';
import { builtInConnectors } from '../../../../../shared/connectors/async/built-in/built-in.ts';
import { connectionStore } from '../../../../../shared/connectors/async/connections.ts';
import { ConnectorRegistry } from '../../../../../shared/connectors/async/registry.ts';
import { taskService } from '../../../../../shared/connectors/async/service.ts';
import { jsonLogger } from '../../../../../shared/core/logger.ts';
import { Redactor } from '../../../../../shared/core/redaction.ts';
import { failure, NOW, serve, TOKEN } from './harness.ts';

/** The task service with a connection to one server, whose secret may be another one at each look. */
function aService(baseUrl: string, secretsInOrder: string[]) {
  const clock = () => new Date(NOW);
  const redactor = new Redactor();
  const lines: string[] = [];
  const registry = new ConnectorRegistry();
  for (const connector of builtInConnectors()) registry.register(connector);
  const secrets = {
    get: async () => (secretsInOrder.length > 1 ? secretsInOrder.shift()! : secretsInOrder[0]!),
  };
  const connections = connectionStore({ api: { secrets: { token: 'shop/api' }, configs: { baseUrl } } });
  const log = jsonLogger({ clock, redactor, level: 'debug', write: (line) => void lines.push(line) });
  return { service: taskService({ registry, secrets, connections, clock, log, redactor }), lines };
}

const TEMPLATE = {
  type: 'http.job',
  interface: { inputs: { day: 'string' }, outputs: { rows: 'integer' } },
  custom: {
    create: { url: '/jobs', tokenHeader: 'Idempotency-Key', body: { day: '{{.inputs.day}}' }, id: '$.id' },
    get: { url: '/jobs/{{.jobId}}', state: '$.state', outputs: { rows: '$.rows' } },
    delete: { url: '/jobs/{{.jobId}}' },
    auth: { type: 'bearer', secret: 'token' },
  },
};
const REQUEST = { taskTemplate: TEMPLATE, outputPrefix: 's3://out/1', inputs: { day: '2026-01-01' } };
const CALL = { connectionName: 'api', idempotencyToken: TOKEN };

describe('the built-in connectors behind the task service', () => {
  it('take a rotated secret into use, and show neither the old nor the new one', async () => {
    const { url } = await serve(({ headers, method }) => {
      if (headers.authorization !== 'Bearer canary-new-token') {
        return { status: 401, json: { message: `not ${headers.authorization}` } };
      }
      return { json: method === 'POST' ? { id: 'j1' } : { state: 'done', rows: 3 } };
    });
    const { service, lines } = aService(url, ['canary-old-token', 'canary-new-token']);

    const handle = await service.create(REQUEST, CALL);
    const resource = await service.get({ taskType: 'http.job', handle }, CALL);
    await service.delete({ taskType: 'http.job', handle }, CALL);

    expect(resource).toMatchObject({ phase: 'SUCCEEDED', outputs: { rows: 3 } });
    expect(new TextDecoder().decode(handle) + lines.join()).not.toContain('canary');
  });

  it('tell a refusal by its code, with what the service said but for secrets', async () => {
    const { url } = await serve(({ headers }) => ({ status: 401, json: { message: `not ${headers.authorization}` } }));
    const { service, lines } = aService(url, ['canary-old-token']);

    const error = await failure(service.create(REQUEST, CALL));

    expect(error).toMatchObject({ code: 'Unauthenticated', retryable: false });
    expect(error.message).toMatch(/create of http.job failed: POST http.* was answered 401: not Bearer \[redacted\]/);
    expect(JSON.stringify([error, error.stack, lines])).not.toContain('canary');
  });

  it('tell of a template whether its job may be created twice', () => {
    const { service } = aService('http://a.test', ['canary-old-token']);
    const { tokenHeader: _none, ...create } = TEMPLATE.custom.create;
    const without = { ...TEMPLATE, custom: { ...TEMPLATE.custom, create } };

    expect(service.typeOf('http.job', 0, TEMPLATE).createIsIdempotent).toBe(true);
    expect(service.typeOf('http.job', 0, without).createIsIdempotent).toBe(false);
    expect(service.typeOf('http.job').createIsIdempotent).toBe(false);
    expect(service.typeOf('aws.athena', 0, { type: 'aws.athena' }).createIsIdempotent).toBe(true);
  });

  it('refuse an address as a mistake in the template', async () => {
    const { service } = aService('http://169.254.169.254', ['canary-old-token']);

    expect(await failure(service.create(REQUEST, CALL))).toMatchObject({
      code: 'BadTaskSpecification',
      retryable: false,
    });
  });

  it.each(['http.job', 'sensor.http', 'sensor.s3', 'aws.athena', 'aws.stepfunctions'])(
    '%s refuses a handle that is none',
    async (taskType) => {
      const { service } = aService('http://a.test', ['canary-old-token']);

      for (const text of ['', '{}', 'null', '{"jobId":1}']) {
        const error = await failure(service.get({ taskType, handle: Buffer.from(text) }, CALL));
        expect(error).toMatchObject({ code: 'BadResourceMeta', retryable: false });
      }
    },
  );
});
