import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  AsyncConnector,
  type ConnectorContext,
  type CreateRequest,
  type LogsQuery,
  type Resource,
  type TaskLogsPage,
  type TaskMetrics,
  unknownState,
} from '../../../../shared/connectors/async/async-connector.ts';
import { CONNECTOR_CHECKS } from '../../../../shared/connectors/async/connector-checks.ts';
import { ConnectorError } from '../../../../shared/connectors/async/errors.ts';
import { jsonResourceMeta } from '../../../../shared/connectors/async/resource-meta.ts';
import { ConnectorTestError, testConnector } from '../../../../shared/connectors/async/test-connector.ts';
import { isObject } from '../../../../shared/core/json.ts';

/** A service with jobs, that can be made to misbehave. */
class FakeService {
  readonly jobs = new Map<string, { token: string; state: string }>();
  throttled = false;
  hanging = false;

  set(id: string, state: string): void {
    this.jobs.set(id, { ...this.jobs.get(id)!, state });
  }

  async call<T>(signal: AbortSignal, work: () => T): Promise<T> {
    if (this.hanging) {
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    }
    if (this.throttled) throw Object.assign(new Error('HTTP 429'), { status: 429 });
    return work();
  }
}

interface Meta {
  readonly id: string;
}

/** A connector as it should be; a test spoils one thing of it. */
class GoodConnector extends AsyncConnector<Meta> {
  override readonly name = 'Good';
  override readonly taskTypeName: string = 'good';
  override readonly metadataType = jsonResourceMeta<Meta>((value) => {
    if (!isObject(value) || typeof value.id !== 'string') throw new Error('no id');
    return { id: value.id };
  });
  override readonly createIsIdempotent: boolean = true;
  readonly service: FakeService;

  constructor(service: FakeService) {
    super();
    this.service = service;
  }

  override create(_request: CreateRequest, { idempotencyToken: token, signal }: ConnectorContext): Promise<Meta> {
    return this.service.call(signal, () => {
      const known = [...this.service.jobs].find(([, job]) => job.token === token)?.[0];
      const id = known ?? `job-${this.service.jobs.size}`;
      if (!known) this.service.jobs.set(id, { token, state: 'running' });
      return { id };
    });
  }

  override get({ id }: Meta, context: ConnectorContext): Promise<Resource> {
    return this.service.call(context.signal, () => {
      const state = this.service.jobs.get(id)?.state;
      if (state === undefined) throw new ConnectorError('ResourceGone');
      const phases = { running: 'RUNNING', done: 'SUCCEEDED', stopped: 'ABORTED' } as const;
      return state in phases ? { phase: phases[state as keyof typeof phases] } : unknownState(state, context);
    });
  }

  override delete({ id }: Meta, { signal }: ConnectorContext): Promise<void> {
    return this.service.call(signal, () => {
      const job = this.service.jobs.get(id);
      if (job?.state === 'running') job.state = 'stopped';
    });
  }

  override async getLogs(_meta: Meta, { token = '0' }: LogsQuery): Promise<TaskLogsPage> {
    const page = Number(token);
    return { lines: [{ message: `page ${page}` }], nextToken: page < 3 ? String(page + 1) : '' };
  }

  override async getMetrics(): Promise<TaskMetrics> {
    return {
      results: [{ metric: 'CPU', data: { resultType: 'matrix', result: [{ metric: {}, values: [[1, '2']] }] } }],
    };
  }
}

function check(
  spoil: (connector: GoodConnector, service: FakeService) => void = () => {},
  { scenarios = true, hang = false } = {},
) {
  const service = new FakeService();
  const connector = new GoodConnector(service);
  spoil(connector, service);
  const connection = { secrets: { key: 'hush-hush-1' }, configs: {} };
  const ran = testConnector<Meta>(connector, {
    template: { type: 'good' },
    connection,
    ...(scenarios
      ? {
          scenarios: {
            finish: ({ id }) => service.set(id, 'done'),
            unknownState: ({ id }) => service.set(id, 'pondering'),
            throttle: () => {
              service.throttled = true;
              return () => {
                service.throttled = false;
              };
            },
            countJobs: () => service.jobs.size,
            ...(hang && {
              hang: () => {
                service.hanging = true;
                return () => {
                  service.hanging = false;
                };
              },
            }),
          },
        }
      : {}),
  });
  return { ran, service, connector };
}

/** A connector whose jobs have other ids than the service gave them. */
const renaming =
  (name: (id: string, context: ConnectorContext) => string) => (connector: GoodConnector, service: FakeService) => {
    const { create } = connector;
    connector.create = async (request, context) => {
      const { id } = await create.call(connector, request, context);
      const renamed = id.startsWith('job-') && id.length < 20 ? name(id, context) : id;
      service.jobs.set(renamed, service.jobs.get(id)!);
      if (renamed !== id) service.jobs.delete(id);
      return { id: renamed };
    };
  };

async function failuresOf(spoil: (connector: GoodConnector, service: FakeService) => void, { hang = false } = {}) {
  try {
    await check(spoil, { hang }).ran;
  } catch (error) {
    expect(error).toBeInstanceOf(ConnectorTestError);
    return (error as ConnectorTestError).failures.map(({ check: name }) => name);
  }
  return [];
}

describe('testConnector', () => {
  it('passes a connector that does what it must, in every check', async () => {
    const reports = await check(undefined, { hang: true }).ran;

    expect(reports).toEqual(Object.keys(CONNECTOR_CHECKS).map((name) => ({ check: name, outcome: 'passed' })));
  });

  it('leaves no job behind that runs', async () => {
    const { ran, service } = check();
    await ran;

    expect([...service.jobs.values()].filter(({ state }) => state === 'running')).toEqual([]);
  });

  it('says which checks it skipped for want of a scenario', async () => {
    const reports = await check(undefined, { scenarios: false }).ran;

    expect(reports.filter(({ outcome }) => outcome === 'skipped')).toEqual([
      { check: 'delete after finish', outcome: 'skipped', reason: 'there is no scenario "finish"' },
      { check: 'unknown external state', outcome: 'skipped', reason: 'there is no scenario "unknownState"' },
      { check: 'throttling', outcome: 'skipped', reason: 'there is no scenario "throttle"' },
      { check: 'deadline abort', outcome: 'skipped', reason: 'there is no scenario "hang"' },
    ]);
  });

  it('does the checks that were asked for only', async () => {
    const connector = new GoodConnector(new FakeService());

    expect(await testConnector(connector, { template: { type: 'good' }, checks: ['double delete'] })).toEqual([
      { check: 'double delete', outcome: 'passed' },
    ]);
  });

  it.each<[string, readonly string[], (connector: GoodConnector, service: FakeService) => void]>([
    [
      'a task type that is none',
      ['name and version'],
      (connector) => Object.assign(connector, { taskTypeName: 'a b' }),
    ],
    [
      'a codec that loses something',
      ['handle round trip'],
      (connector) => {
        const { create } = connector;
        connector.create = async (...args) => ({ ...(await create.apply(connector, args)), extra: 1 });
      },
    ],
    ['a handle that is too large', ['handle size'], renaming((id) => id.padEnd(70_000, 'x'))],
    ['a handle with a secret', ['secret leakage'], renaming((id, { connection }) => `${id} ${connection.secrets.key}`)],
    [
      'a create that makes a job each time',
      ['create twice with one token'],
      (connector, service) => {
        connector.create = (_request, { signal }) =>
          service.call(signal, () => {
            const id = `another-${service.jobs.size}`;
            service.jobs.set(id, { token: '', state: 'running' });
            return { id };
          });
      },
    ],
    [
      'a findByToken that finds nothing',
      ['create twice with one token'],
      (connector) => Object.assign(connector, { createIsIdempotent: false, findByToken: async () => undefined }),
    ],
    [
      'a delete that fails for what has stopped',
      ['double delete', 'delete after finish'],
      (connector, service) => {
        connector.delete = ({ id }, { signal }) =>
          service.call(signal, () => {
            const job = service.jobs.get(id)!;
            if (job.state !== 'running') throw new Error('it has ended');
            job.state = 'stopped';
          });
      },
    ],
    [
      'a get that fails for what was deleted',
      ['get after delete'],
      (connector, service) => {
        const { get } = connector;
        connector.get = (meta, context) => {
          if (service.jobs.get(meta.id)?.state === 'stopped') throw new Error('HTTP 500');
          return get.call(connector, meta, context);
        };
      },
    ],
    [
      'a state that nobody knows, taken for a failure',
      ['unknown external state'],
      (connector, service) => {
        const { get } = connector;
        connector.get = async (meta, context) =>
          service.jobs.get(meta.id)?.state === 'pondering' ? { phase: 'FAILED' } : get.call(connector, meta, context);
      },
    ],
    [
      'throttling that ends the job',
      ['throttling'],
      (connector, service) => {
        const { get } = connector;
        connector.get = async (meta, context) =>
          service.throttled ? { phase: 'FAILED' } : get.call(connector, meta, context);
      },
    ],
    [
      'logs that go round in circles',
      ['log paging'],
      (connector) => {
        connector.getLogs = async () => ({ lines: [], nextToken: 'again' });
      },
    ],
    [
      'pages with more lines than were asked for',
      ['log paging'],
      (connector) => {
        connector.getLogs = async (_meta, { lines }) => ({ lines: Array(lines + 1).fill({ message: 'x' }) });
      },
    ],
    [
      'metrics of another shape',
      ['metrics shape'],
      (connector) => {
        connector.getMetrics = async () => ({ results: [{ metric: 'CPU', data: 7 }] }) as never;
      },
    ],
  ])('names what fails: %s', async (_what, names, spoil) => {
    expect(await failuresOf(spoil)).toEqual(names);
  });

  it('names a call that does not listen to its signal', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const deaf = (connector: GoodConnector, service: FakeService) => {
      const { get } = connector;
      connector.get = (meta, context) => (service.hanging ? new Promise(() => {}) : get.call(connector, meta, context));
    };
    const failures = failuresOf(deaf, { hang: true });

    await vi.advanceTimersByTimeAsync(10_000);

    expect(await failures).toEqual(['deadline abort']);
  });

  it('tells all failures in one error, each by name', async () => {
    await expect(
      check((connector) => {
        connector.getLogs = async () => ({ lines: [], nextToken: 'again' });
        connector.getMetrics = async () => ({}) as never;
      }).ran,
    ).rejects.toThrow(
      /^the connector of good fails 2 of its checks:\n- log paging: a token leads back .*\n- metrics shape: metrics must be/,
    );
  });
});
