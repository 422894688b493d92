import { beforeEach, describe, expect, it, vi } from 'vitest';
import { AthenaConnector, type AthenaHandle } from '../../../../../shared/connectors/async/built-in/aws/athena.ts';
import { S3SensorConnector } from '../../../../../shared/connectors/async/built-in/aws/sensor-s3.ts';
import {
  StepFunctionsConnector,
  type StepFunctionsHandle,
} from '../../../../../shared/connectors/async/built-in/aws/step-functions.ts';
import { HttpJobConnector } from '../../../../../shared/connectors/async/built-in/http/http-job.ts';
import type { HttpJobHandle } from '../../../../../shared/connectors/async/built-in/http/job-handle.ts';
import { HttpSensorConnector } from '../../../../../shared/connectors/async/built-in/http/sensor-http.ts';
import { LandfallRefreshConnector } from '../../../../../shared/connectors/async/built-in/landfall-refresh.ts';
import { CONNECTOR_CHECKS, type ConnectorCheckName } from '../../../../../shared/connectors/async/connector-checks.ts';
import { testConnector } from '../../../../../shared/connectors/async/test-connector.ts';
import type { JsonObject } from '../../../../../shared/core/json.ts';
import { landfallRefreshPorts } from '../../../../../shared/operations/refresh-ports.ts';
import { PIPELINE, World } from '../../../../support/world.ts';
import { AWS_SECRETS, awsError, useAwsService } from './aws-endpoint.ts';
import { type Answer, serve } from './harness.ts';

const SECRET = 'canary-contract-secret';

/** What each emulated service can be made to do: refuse, or not answer at all. */
class Mood {
  #throttled: Answer | undefined;
  #hanging: Promise<void> | undefined;

  /** Scenarios, with what the service answers to too many calls. */
  scenarios(throttled: Answer) {
    return {
      throttle: () => {
        this.#throttled = throttled;
        return () => {
          this.#throttled = undefined;
        };
      },
      hang: () => {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#hanging = promise;
        return () => {
          this.#hanging = undefined;
          resolve();
        };
      },
    };
  }

  async answer(usual: () => Answer): Promise<Answer> {
    await this.#hanging;
    return this.#throttled ?? usual();
  }
}

let mood: Mood;
beforeEach(() => {
  mood = new Mood();
});

/** Jobs by the token they were made with. */
class Jobs {
  readonly states = new Map<string, string>();

  make(token: string, state: string): string {
    if (!this.states.has(token)) this.states.set(token, state);
    return token;
  }
  set(id: string, state: string): void {
    this.states.set(id, state);
  }
}

/** All that was not skipped has passed, or `testConnector` throws. */
async function skippedOf(reports: ReturnType<typeof testConnector>): Promise<ConnectorCheckName[]> {
  const told = await reports;
  expect(told).toHaveLength(Object.keys(CONNECTOR_CHECKS).length);
  return told.filter(({ outcome }) => outcome === 'skipped').map(({ check }) => check);
}

const HTTP_JOB: JsonObject = {
  create: { url: '/jobs', tokenHeader: 'x-token', id: '$.id' },
  get: { url: '/jobs/{{.jobId}}', state: '$.state' },
  delete: { url: '/jobs/{{.jobId}}' },
  auth: { type: 'bearer', secret: 'token' },
};

async function httpJobs(custom: JsonObject) {
  const jobs = new Jobs();
  const { url } = await serve(({ method, path, headers, body }) =>
    mood.answer(() => {
      const id = path.slice('/jobs/'.length);
      if (method === 'POST')
        return { json: { id: jobs.make(String(headers['x-token'] ?? JSON.parse(body).label), 'running') } };
      if (id === '') return { json: { jobs: [...jobs.states.keys()].map((label) => ({ id: label, label })) } };
      if (method === 'GET') return { json: { state: jobs.states.get(id) } };
      if (jobs.states.get(id) === 'done') return { status: 409 };
      jobs.set(id, 'cancelled');
      return { status: 204 };
    }),
  );
  return testConnector<HttpJobHandle>(new HttpJobConnector({ sleep: async () => {}, random: () => 0 }), {
    template: { type: 'http.job', custom },
    connection: { secrets: { token: SECRET }, configs: { baseUrl: url } },
    scenarios: {
      ...mood.scenarios({ status: 429 }),
      finish: ({ jobId }) => jobs.set(jobId, 'done'),
      unknownState: ({ jobId }) => jobs.set(jobId, 'levitating'),
      countJobs: () => jobs.states.size,
    },
  });
}

describe('the contract of connectors', () => {
  it('holds for http.job, where the service takes tokens', async () => {
    expect(await skippedOf(httpJobs(HTTP_JOB))).toEqual(['log paging', 'metrics shape']);
  });

  it('holds for http.job, where jobs are found by a label', async () => {
    const custom = {
      ...HTTP_JOB,
      create: { url: '/jobs', body: { label: '{{.token}}' }, id: '$.id' },
      find: { url: '/jobs/', items: '$.jobs', token: '$.label', id: '$.id' },
    };

    expect(await skippedOf(httpJobs(custom))).toEqual(['log paging', 'metrics shape']);
  });

  it('holds for sensor.http', async () => {
    let isReady = false;
    const { url } = await serve(() => mood.answer(() => ({ json: { ready: isReady } })));
    const reports = testConnector(new HttpSensorConnector({ sleep: async () => {}, random: () => 0 }), {
      template: {
        type: 'sensor.http',
        custom: { url: '/', json: { path: '$.ready', equals: true }, auth: { type: 'bearer', secret: 'token' } },
      },
      connection: { secrets: { token: SECRET }, configs: { baseUrl: url } },
      scenarios: {
        ...mood.scenarios({ status: 429 }),
        finish: () => {
          isReady = true;
        },
      },
    });

    expect(await skippedOf(reports)).toEqual(['unknown external state', 'log paging', 'metrics shape']);
  });

  it('holds for sensor.s3', async () => {
    vi.stubEnv('AWS_MAX_ATTEMPTS', '1');
    vi.stubEnv('AWS_REGION', 'eu-central-1');
    let keys = '';
    const headers = { 'content-type': 'application/xml' };
    const xml = (text: string): Answer => ({ headers, text: `<?xml version="1.0"?>${text}` });
    const { url } = await serve(() => mood.answer(() => xml(`<ListBucketResult>${keys}</ListBucketResult>`)));
    const slowDown = { ...xml('<Error><Code>SlowDown</Code></Error>'), status: 503 };
    const reports = testConnector(new S3SensorConnector(), {
      template: { type: 'sensor.s3', custom: { bucket: 'b', key: 'a' } },
      connection: { secrets: AWS_SECRETS, configs: { endpoint: url } },
      scenarios: {
        ...mood.scenarios(slowDown),
        finish: () => {
          keys = '<Contents><Key>a</Key><Size>1</Size><ETag>"e"</ETag></Contents>';
        },
      },
    });

    expect(await skippedOf(reports)).toEqual(['unknown external state', 'log paging', 'metrics shape']);
    vi.unstubAllEnvs();
  });

  it('holds for landfall.refresh', async () => {
    const world = new World();
    world.source.leaf(['a'], '1');
    const reports = testConnector(new LandfallRefreshConnector(landfallRefreshPorts(world.deps())), {
      template: { type: 'landfall.refresh', custom: { pipeline: PIPELINE } },
      scenarios: {
        finish: () => world.work(),
        countJobs: async () => {
          const active = await world.runs.active(PIPELINE);
          return (active?.number ?? 0) + (active?.pending ? 1 : 0);
        },
      },
    });

    expect(await skippedOf(reports)).toEqual([
      'secret leakage',
      'unknown external state',
      'throttling',
      'deadline abort',
      'log paging',
      'metrics shape',
    ]);
  });
});

describe('the contract of connectors to AWS', () => {
  const athena = useAwsService('AWS_ENDPOINT_URL_ATHENA');
  const states = useAwsService('AWS_ENDPOINT_URL_SFN');
  const connection = { secrets: AWS_SECRETS, configs: { region: 'eu-west-1' } };
  const throttled = awsError('ThrottlingException');

  it('holds for aws.athena', async () => {
    const jobs = new Jobs();
    athena.answer = ({ operation, input }) =>
      mood.answer(() => {
        const id = String(input.QueryExecutionId);
        if (operation === 'StartQueryExecution') {
          return { json: { QueryExecutionId: jobs.make(String(input.ClientRequestToken), 'QUEUED') } };
        }
        if (operation === 'StopQueryExecution' && jobs.states.get(id) !== 'SUCCEEDED') jobs.set(id, 'CANCELLED');
        return {
          json: {
            QueryExecution: { Status: { State: jobs.states.get(id) }, Statistics: { DataScannedInBytes: 1 } },
          },
        };
      });
    const reports = testConnector<AthenaHandle>(new AthenaConnector(), {
      template: { type: 'aws.athena', sql: { statement: 'SELECT 1' } },
      connection,
      scenarios: {
        ...mood.scenarios(throttled),
        finish: ({ queryId }) => jobs.set(queryId, 'SUCCEEDED'),
        unknownState: ({ queryId }) => jobs.set(queryId, 'PAUSED'),
        countJobs: () => jobs.states.size,
      },
    });

    expect(await skippedOf(reports)).toEqual(['log paging']);
  });

  it('holds for aws.stepfunctions', async () => {
    const jobs = new Jobs();
    const executionArn = (name: string) => `arn:aws:states:eu-west-1:123456789012:execution:load:${name}`;
    states.answer = ({ operation, input }) =>
      mood.answer(() => {
        const arn = String(input.executionArn);
        if (operation === 'GetExecutionHistory') {
          const event = { id: 1, type: 'ExecutionStarted', timestamp: 1 };
          return { json: { events: [event], ...(input.nextToken ? {} : { nextToken: 'page 2' }) } };
        }
        if (operation === 'StartExecution') {
          const started = executionArn(String(input.name));
          if (jobs.states.has(started)) return awsError('ExecutionAlreadyExists');
          return { json: { executionArn: jobs.make(started, 'RUNNING'), startDate: 1 } };
        }
        if (operation === 'StopExecution') {
          if (jobs.states.get(arn) === 'RUNNING') jobs.set(arn, 'ABORTED');
          return { json: { stopDate: 1 } };
        }
        return { json: { status: jobs.states.get(arn) } };
      });
    const reports = testConnector<StepFunctionsHandle>(new StepFunctionsConnector(), {
      template: {
        type: 'aws.stepfunctions',
        custom: { stateMachineArn: 'arn:aws:states:eu-west-1:123456789012:stateMachine:load' },
      },
      connection,
      scenarios: {
        ...mood.scenarios(throttled),
        finish: (handle) => jobs.set(handle.executionArn, 'SUCCEEDED'),
        unknownState: (handle) => jobs.set(handle.executionArn, 'DOZING'),
        countJobs: () => jobs.states.size,
      },
    });

    expect(await skippedOf(reports)).toEqual(['metrics shape']);
  });
});
