import { describe, expect, it } from 'vitest';
import {
  AsyncConnector,
  type CreateRequest,
  type Resource,
  unknownState,
} from '../../../../shared/connectors/async/async-connector.ts';
import { isTerminal, PHASE_NUMBERS, phaseOf } from '../../../../shared/connectors/async/phases.ts';
import { jsonResourceMeta } from '../../../../shared/connectors/async/resource-meta.ts';
import { silentLogger } from '../../../../shared/core/logger.ts';
import { aHandle, aJob, all, aRequest, CALL, FakeConnector, serviceWorld } from '../../../support/fake-connector.ts';

class Minimal extends AsyncConnector<{ id: string }> {
  override readonly taskTypeName = 'minimal';
  override readonly metadataType = jsonResourceMeta((value) => value as { id: string });
  override readonly createIsIdempotent = false;
  override create = async () => ({ id: 'x' });
  override get = async (): Promise<Resource> => ({ phase: 'RUNNING' });
  override delete = async () => {};
}

describe('AsyncConnector, by the members of the reference', () => {
  it('name: is "Async Connector" unless a class says otherwise', () => {
    expect(new Minimal().name).toBe('Async Connector');
    expect(new FakeConnector().name).toBe('Fake');
  });

  it('task_type_name: is what a template finds it by', async () => {
    const { service, connector } = serviceWorld();

    await service.create(aRequest({ type: 'fake' }), CALL);

    expect(connector.calls).toEqual(['create']);
  });

  it('task_type_version: is 0 unless a class says otherwise', () => {
    expect(new Minimal().taskTypeVersion).toBe(0);
  });

  it('metadata_type: makes bytes of a handle, and a handle of bytes', async () => {
    const { service, connector } = serviceWorld();

    const handle = await service.create(aRequest(), CALL);
    await service.get({ ...aJob(), handle }, {});

    expect(new TextDecoder().decode(handle)).toBe('{"id":"job-1"}');
    expect(connector.asked[1]?.args).toEqual([{ id: 'job-1' }]);
  });

  it('create(): gets the task template', async () => {
    const { service, connector } = serviceWorld();

    await service.create(aRequest({ custom: { cluster: 'a' } }), CALL);

    expect(requestOf(connector).taskTemplate).toEqual({ type: 'fake', custom: { cluster: 'a' } });
  });

  it('create(): gets the output prefix', async () => {
    const { service, connector } = serviceWorld();

    await service.create(aRequest(), CALL);

    expect(requestOf(connector).outputPrefix).toBe('s3://bucket/run/abc');
    expect(connector.asked[0]?.context.outputPrefix).toBe('s3://bucket/run/abc');
  });

  it('create(): gets native inputs, none if there are none', async () => {
    const { service, connector } = serviceWorld();
    const inputs = { interface: { inputs: { count: 'integer' } } };

    await service.create(aRequest(inputs, { inputs: { count: '7' } }), CALL);
    await service.create(aRequest(), CALL);

    expect(connector.asked.map(({ args }) => (args[0] as CreateRequest).inputs)).toEqual([{ count: 7 }, {}]);
  });

  it('create(): gets the execution metadata, if there is any', async () => {
    const { service, connector } = serviceWorld();
    const taskExecutionMetadata = { taskExecutionId: 'run-1', labels: { team: 'a' } };

    await service.create(aRequest({}, { taskExecutionMetadata }), CALL);
    await service.create(aRequest(), CALL);

    expect(requestOf(connector).taskExecutionMetadata).toEqual(taskExecutionMetadata);
    expect(requestOf(connector, 1).taskExecutionMetadata).toBeUndefined();
  });

  it('get(): tells the state, and outputs of a job that succeeded', async () => {
    const { service, connector } = serviceWorld();
    connector.onGet = () => ({ phase: 'SUCCEEDED', message: 'done', outputs: { table: 'bq://x' } });

    expect(await service.get(aJob(), {})).toEqual({
      phase: 'SUCCEEDED',
      message: 'done',
      outputs: { table: 'bq://x' },
    });
  });

  it('delete(): stops the job and returns nothing', async () => {
    const { service, connector } = serviceWorld();

    expect(await service.delete(aJob(aHandle('job-9')), {})).toBeUndefined();
    expect(connector.asked[0]).toMatchObject({ call: 'delete', args: [{ id: 'job-9' }] });
  });

  it('delete(): raises if it could not', async () => {
    const { service, connector } = serviceWorld();
    connector.onDelete = () => {
      throw new Error('it goes on');
    };

    await expect(service.delete(aJob(), {})).rejects.toThrow('delete of fake failed: it goes on');
  });

  it('get_metrics(): is optional, and answers with a matrix', async () => {
    const { service, connector } = serviceWorld();
    const results = [{ metric: 'CPU', data: { resultType: 'matrix', result: [{ metric: {}, values: [[1, '2']] }] } }];
    expect(service.typeOf('fake').hasMetrics).toBe(false);
    Object.assign(connector, { getMetrics: async () => ({ results }) });

    expect(await service.getMetrics(aJob(), { queries: [] }, {})).toEqual({ results });
    expect(service.typeOf('fake').hasMetrics).toBe(true);
  });

  it('get_logs(): is optional, and answers with lines and tokens', async () => {
    const { service, connector } = serviceWorld();
    expect(service.typeOf('fake').hasLogs).toBe(false);
    Object.assign(connector, { getLogs: async () => ({ lines: [{ message: 'a\n' }], nextToken: 't' }) });

    expect(await all(service.getLogs(aJob(), {}, {}))).toEqual([{ lines: [{ message: 'a\n' }] }, { nextToken: 't' }]);
    expect(service.typeOf('fake').hasLogs).toBe(true);
  });
});

const requestOf = (connector: FakeConnector, at = 0) => connector.asked[at]?.args[0] as CreateRequest;

describe('phases', () => {
  it.each([
    ['UNDEFINED', 0, false],
    ['QUEUED', 1, false],
    ['RUNNING', 2, false],
    ['SUCCEEDED', 3, true],
    ['ABORTED', 4, true],
    ['FAILED', 5, true],
    ['INITIALIZING', 6, false],
    ['WAITING_FOR_RESOURCES', 7, false],
    ['RETRYABLE_FAILED', 8, true],
  ] as const)('%s is number %i, terminal: %s', (phase, number, terminal) => {
    expect(PHASE_NUMBERS[phase]).toBe(number);
    expect(isTerminal(phase)).toBe(terminal);
    expect([phaseOf(phase), phaseOf(number)]).toEqual([phase, phase]);
  });

  it.each(['TIMED_OUT', 9, -1, '', undefined])('%s is none', (value) => {
    expect(phaseOf(value)).toBeUndefined();
  });

  it('a state nobody knows is RUNNING, told and counted', () => {
    const warned: unknown[] = [];
    const logger = { ...silentLogger, warn: (...args: unknown[]) => void warned.push(args) };

    expect(unknownState('PONDERING', { logger })).toEqual({
      phase: 'RUNNING',
      message: 'unrecognised state PONDERING',
    });
    expect(warned).toEqual([['metric', { metric: 'unknown_external_state', value: 1, state: 'PONDERING' }]]);
  });
});

describe('the JSON codec of handles', () => {
  const codec = jsonResourceMeta((value) => value as Record<string, unknown>);

  it('sorts keys, writes no white space, and drops undefined', () => {
    expect(new TextDecoder().decode(codec.encode({ b: 1, a: { d: 2, c: undefined }, e: [1, 2] }))).toBe(
      '{"a":{"d":2},"b":1,"e":[1,2]}',
    );
  });

  it('refuses bytes that are no UTF-8', () => {
    expect(() => codec.decode(new Uint8Array([0x22, 0xff, 0x22]))).toThrow();
  });
});
