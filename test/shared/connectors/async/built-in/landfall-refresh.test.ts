import { describe, expect, it } from 'vitest';
import {
  LandfallRefreshConnector,
  type RefreshPorts,
  type RefreshRun,
} from '../../../../../shared/connectors/async/built-in/landfall-refresh.ts';
import { InvalidInputError, RetryableError } from '../../../../../shared/core/errors.ts';
import type { JsonObject } from '../../../../../shared/core/json.ts';
import { aContext, aRequest, failure, kept, TOKEN } from './harness.ts';

const PUBLISHED = { manifest: 'm', partitions: 3, bytes: 30, failed: 1, landed: 2, landedBytes: 20, removed: 0 };
const HANDLE = { pipeline: 'canvas', run: 7, token: TOKEN, partialIsFailure: false };

/** Ports that answer as a test says. */
function portsOf(run: RefreshRun | undefined = undefined) {
  const started: Parameters<RefreshPorts['start']>[0][] = [];
  const ports: RefreshPorts = {
    start: async (request) => {
      started.push(request);
      return 7;
    },
    look: async () => run,
    cancel: async () => {},
  };
  return { started, ports };
}

const looked = (run: RefreshRun, partialIsFailure = false, context = aContext()) =>
  new LandfallRefreshConnector(portsOf(run).ports).get({ ...HANDLE, partialIsFailure }, context);

describe('landfall.refresh', () => {
  it('asks for a run with the token, and keeps which one it is', async () => {
    const { started, ports } = portsOf();
    const connector = new LandfallRefreshConnector(ports);
    const custom = { pipeline: '{{.inputs.school}}', force: true };

    const request = aRequest('landfall.refresh', custom, { inputs: { school: 'canvas' } });
    const handle = kept(connector, await connector.create(request, aContext()));

    expect(started).toEqual([{ pipeline: 'canvas', token: TOKEN, force: true }]);
    expect(handle).toEqual(HANDLE);
  });

  it.each([
    ['PENDING', 'QUEUED'],
    ['LISTING', 'RUNNING'],
    ['READING', 'RUNNING'],
    ['PUBLISHING', 'RUNNING'],
    ['SUCCEEDED', 'SUCCEEDED'],
    ['PARTIAL', 'SUCCEEDED'],
    ['FAILED', 'FAILED'],
    ['CANCELLED', 'ABORTED'],
  ])('%s is %s', async (state, phase) => {
    expect((await looked({ state })).phase).toBe(phase);
  });

  it('a state it does not know goes on and is counted', async () => {
    const context = aContext();

    expect(await looked({ state: 'DREAMING' }, false, context)).toMatchObject({
      phase: 'RUNNING',
      message: 'unrecognised state DREAMING',
    });
    expect(context.warnings[0]).toContain('unknown_external_state');
  });

  it('tells the manifest and what is in it', async () => {
    expect((await looked({ state: 'SUCCEEDED', published: PUBLISHED })).outputs).toEqual({ run: 7, ...PUBLISHED });
  });

  it('tells that something is missing, as a failure if the template says so', async () => {
    const run = { state: 'PARTIAL', published: PUBLISHED };
    const message = 'published, but 1 partitions or listings failed';

    expect(await looked(run)).toMatchObject({ phase: 'SUCCEEDED', message, outputs: PUBLISHED });
    expect(await looked(run, true)).toMatchObject({ phase: 'FAILED', message, error: { code: 'RunPartial' } });
  });

  it.each([
    [true, 'RETRYABLE_FAILED'],
    [false, 'FAILED'],
  ])('tells why a run failed (retryable: %s)', async (retryable, phase) => {
    const error = { name: 'E', code: 'Listing', message: 'no answer', retryable };

    expect(await looked({ state: 'FAILED', error })).toMatchObject({
      phase,
      message: 'no answer',
      error: { code: 'Listing', retryable },
    });
  });

  it('is gone if no run knows its token', async () => {
    const connector = new LandfallRefreshConnector(portsOf(undefined).ports);

    expect(await failure(connector.get(HANDLE, aContext()))).toMatchObject({ code: 'ResourceGone', retryable: false });
  });

  it.each([
    ['a pipeline it does not know', new InvalidInputError('no such pipeline'), 'BadTaskSpecification', false],
    ['a store that is away', new RetryableError('away'), 'Retryable', true],
  ])('fails with %s', async (_name, error, code, retryable) => {
    const ports: RefreshPorts = { ...portsOf().ports, start: () => Promise.reject(error) };
    const create = new LandfallRefreshConnector(ports).create(
      aRequest('landfall.refresh', { pipeline: 'p' }),
      aContext(),
    );

    expect(await failure(create)).toMatchObject({ code, retryable });
  });

  it.each<[string, JsonObject]>([
    ['no pipeline', {}],
    ['an input that is not there', { pipeline: '{{.inputs.nope}}' }],
    ['a setting it does not know', { pipeline: 'p', confirmRemoval: true }],
  ])('refuses %s', async (_name, custom) => {
    const { ports, started } = portsOf();
    const create = new LandfallRefreshConnector(ports).create(aRequest('landfall.refresh', custom), aContext());

    expect(await failure(create)).toMatchObject({ code: 'BadTaskSpecification' });
    expect(started).toEqual([]);
  });
});
