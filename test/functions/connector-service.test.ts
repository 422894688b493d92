import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { failureOf, functionHome, openFunction, sampleEvent } from '../support/function-run.ts';

const { home } = functionHome();
process.env.LANDFALL_CONNECTIONS = JSON.stringify({
  service: { taskType: 'http.job', secrets: { key: 'landfall/service' }, configs: { baseUrl: 'https://jobs.example' } },
});
mkdirSync(join(home, 'secrets', 'landfall'), { recursive: true });
writeFileSync(join(home, 'secrets', 'landfall', 'service'), 'the-key-of-jobs', { mode: 0o600 });
const invoke = await openFunction('connector-service');

interface Answer {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

async function ask(method: string, rawPath: string, more: object = {}) {
  const sample = sampleEvent<{ requestContext: object }>('connector-service.http');
  const requestContext = { ...sample.requestContext, http: { method } };
  const answer = (await invoke({ ...sample, rawPath, requestContext, ...more })) as Answer;
  return { ...answer, json: JSON.parse(answer.body) };
}

describe('connector-service', () => {
  it('lists the connectors that come with Landfall', async () => {
    const answer = (await invoke(sampleEvent('connector-service.http'))) as Answer;

    expect(answer).toMatchObject({ statusCode: 200, headers: { 'content-type': 'application/json' } });
    const categories = (
      JSON.parse(answer.body).connectors as { supportedTaskCategories: { name: string }[] }[]
    ).flatMap((one) => one.supportedTaskCategories.map(({ name }) => name));
    expect(categories).toEqual(
      expect.arrayContaining([
        'http.job',
        'sensor.http',
        'sensor.s3',
        'aws.athena',
        'aws.stepfunctions',
        'landfall.refresh',
      ]),
    );
  });

  it('creates, looks at and stops a job: a refresh of a pipeline', async () => {
    const template = { type: 'landfall.refresh', custom: { pipeline: 'calendar' } };
    const created = await ask('POST', '/api/v1/connector/task', {
      body: Buffer.from(JSON.stringify({ template, outputPrefix: 's3://b/x' })).toString('base64'),
      isBase64Encoded: true,
    });
    expect(created.statusCode).toBe(200);
    const meta = Buffer.from(created.json.resourceMeta, 'base64').toString('base64url');

    const running = await ask('GET', `/api/v1/agent/task/landfall.refresh/0/${meta}`);
    const stopped = await ask('DELETE', `/api/v1/connector/task_executions/landfall.refresh/0/${meta}`);
    const ended = await ask('GET', `/api/v1/connector/task/landfall.refresh/0/${meta}`);

    expect(running.json.resource.phase).toMatch(/^(QUEUED|RUNNING)$/);
    expect(stopped).toMatchObject({ statusCode: 200, json: {} });
    expect(ended.json.resource.phase).toBe('ABORTED');
  });

  it('takes the stage off a path', async () => {
    const requestContext = { http: { method: 'GET' }, stage: 'prod' };

    expect((await ask('GET', '/prod/healthz', { requestContext })).json).toEqual({ status: 'ok' });
  });

  it('uses the connections that are configured, for the type they are for', async () => {
    const body = JSON.stringify({ template: { type: 'sensor.http' }, outputPrefix: 'x', connection: 'service' });

    const answer = await ask('POST', '/api/v1/connector/task', { body });

    expect(answer.statusCode).toBe(400);
    expect(answer.json.message).toContain('is for tasks of type http.job, not sensor.http');
  });

  it('answers with what is wrong with a request, and fails for what is none', async () => {
    expect(await ask('GET', '/api/v1/connector/Nobody')).toMatchObject({ statusCode: 404, json: { code: 5 } });
    expect(await failureOf(() => invoke({ pipeline: 'x' }))).toMatchObject({
      errorType: 'InvalidInputError',
      errorMessage: { code: 'InvalidInput' },
    });
  });
});
