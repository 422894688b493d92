import { describe, expect, it } from 'vitest';
import { HttpJobConnector } from '../../../../shared/connectors/async/built-in/http/http-job.ts';
import { HttpSensorConnector } from '../../../../shared/connectors/async/built-in/http/sensor-http.ts';
import { testConnector } from '../../../../shared/connectors/async/test-connector.ts';
import { type Answer, type Asked, serve } from './built-in/harness.ts';

const KEY = 'the-key-of-the-service';
const environment = { sleep: async () => {}, random: () => 0 };

/** A service of jobs, one for each token, that can be told to refuse and not to answer. */
async function jobService() {
  const jobs = new Map<string, { readonly token: string; state: string }>();
  let mode: 'working' | 'throttled' | 'silent' = 'working';
  const answer = ({ method, path, headers }: Asked): Answer | Promise<Answer> => {
    if (mode === 'silent') return new Promise(() => {});
    if (mode === 'throttled') return { status: 429, headers: { 'retry-after': '1' } };
    if (method === 'POST') {
      const token = String(headers['idempotency-key']);
      const known = [...jobs].find(([, job]) => job.token === token)?.[0];
      const id = known ?? `job-${jobs.size}`;
      if (!known) jobs.set(id, { token, state: 'running' });
      return { json: { id } };
    }
    const job = jobs.get(path.slice('/jobs/'.length));
    if (!job) return { status: 404 };
    if (method === 'GET') return { json: { state: job.state } };
    if (job.state === 'running') job.state = 'cancelled';
    return { status: 204 };
  };
  const set = (wanted: typeof mode) => () => {
    mode = wanted;
    return () => {
      mode = 'working';
    };
  };
  const { url } = await serve(answer);
  return { url, jobs, throttle: set('throttled'), hang: set('silent') };
}

describe('testConnector passes', () => {
  it('http.job', async () => {
    const { url, jobs, throttle, hang } = await jobService();
    const to = (state: string) => (meta: { readonly jobId: string }) => {
      jobs.get(meta.jobId)!.state = state;
    };

    const reports = await testConnector(new HttpJobConnector(environment), {
      template: {
        type: 'http.job',
        custom: {
          create: { url: '/jobs', tokenHeader: 'Idempotency-Key', id: '$.id' },
          get: { url: '/jobs/{{.jobId}}', state: '$.state' },
          delete: { url: '/jobs/{{.jobId}}' },
          auth: { type: 'bearer', secret: 'key' },
        },
      },
      connection: { secrets: { key: KEY }, configs: { baseUrl: url } },
      scenarios: { finish: to('done'), unknownState: to('pondering'), throttle, hang, countJobs: () => jobs.size },
    });

    expect(reports.flatMap(({ check, outcome }) => (outcome === 'skipped' ? [check] : []))).toEqual([
      'log paging',
      'metrics shape',
    ]);
  });

  it('sensor.http', async () => {
    const { url, throttle, hang } = await jobService();

    const reports = await testConnector(new HttpSensorConnector(environment), {
      template: { type: 'sensor.http', custom: { url: '/jobs/none', auth: { type: 'bearer', secret: 'key' } } },
      connection: { secrets: { key: KEY }, configs: { baseUrl: url } },
      scenarios: { throttle, hang },
    });

    expect(reports.flatMap(({ check, outcome }) => (outcome === 'skipped' ? [check] : []))).toEqual([
      'delete after finish',
      'unknown external state',
      'log paging',
      'metrics shape',
    ]);
  });
});
