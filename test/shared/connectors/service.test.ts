import { describe, expect, it } from 'vitest';
import type { BytesConnector } from '../../../shared/connectors/connector.ts';
import { connectorService } from '../../../shared/connectors/service.ts';
import { RetryableError } from '../../../shared/core/errors.ts';
import { silentLogger } from '../../../shared/core/logger.ts';
import { Redactor } from '../../../shared/core/redaction.ts';
import { minutes } from '../../../shared/core/units.ts';
import { definePipeline, secret } from '../../../shared/pipelines/define.ts';
import { SecretMissingError } from '../../../shared/secrets/secrets.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const { signal } = new AbortController();

function aService() {
  const time = new FakeClock();
  const redactor = new Redactor();
  const warnings: string[] = [];
  const state = { credential: 'first-secret', built: [] as string[], closed: [] as unknown[] };
  const connector: BytesConnector = {
    context: async (credential) => {
      state.built.push(credential);
      return { number: state.built.length };
    },
    listObjects: () => [],
    readBytes: () => [],
    close: (context) => void state.closed.push(context),
  };
  const hooks = { get: async () => state.credential };
  const service = connectorService({
    secrets: { get: () => hooks.get() },
    clock: time.clock,
    log: { ...silentLogger, warn: (message) => void warnings.push(message) },
    redactor,
  });
  const pipeline = (name = 'p', version = '1') =>
    definePipeline({ name, source: { type: 'mine', connector, identity: version }, credentials: secret('a/b') });
  return { service, state, time, redactor, warnings, connector, pipeline, hooks };
}

describe('connectorService', () => {
  it('builds a context once, for many that open at a time', async () => {
    const { service, state, pipeline } = aService();

    const opened = await Promise.all(Array.from({ length: 5 }, () => service.open(pipeline(), signal)));

    expect(state.built).toEqual(['first-secret']);
    expect(new Set(opened.map(({ context }) => context)).size).toBe(1);
  });

  it('builds one for each pipeline and each version of its code', async () => {
    const { service, state, pipeline } = aService();

    for (const one of [pipeline('p'), pipeline('q'), pipeline('p', '2')]) await service.open(one, signal);

    expect(state.built).toHaveLength(3);
  });

  it('builds it anew after 50 minutes, and closes the old one', async () => {
    const { service, state, time, pipeline } = aService();
    await service.open(pipeline(), signal);
    time.advance(minutes(49));
    await service.open(pipeline(), signal);
    expect(state.built).toHaveLength(1);
    time.advance(minutes(1));

    await service.open(pipeline(), signal);

    expect(state.built).toHaveLength(2);
    expect(state.closed).toEqual([{ number: 1 }]);
  });

  it('builds it anew when the credential was rotated', async () => {
    const { service, state, redactor, pipeline } = aService();
    await service.open(pipeline(), signal);
    state.credential = 'second-secret';

    await service.open(pipeline(), signal);

    expect(state.built).toEqual(['first-secret', 'second-secret']);
    expect(redactor.redact('first-secret second-secret')).toBe('[redacted] [redacted]');
  });

  it('goes on with what it has while the secrets cannot be reached', async () => {
    const { service, state, time, pipeline, hooks } = aService();
    await service.open(pipeline(), signal);
    hooks.get = async () => {
      throw new RetryableError('throttled');
    };

    await service.open(pipeline(), signal);
    expect(state.built).toHaveLength(1);
    time.advance(minutes(51));

    await expect(service.open(pipeline(), signal)).rejects.toThrow('throttled');
  });

  it('a secret that is missing keeps its own error', async () => {
    const { service, pipeline, hooks } = aService();
    hooks.get = async () => {
      throw new SecretMissingError('nothing under a/b');
    };

    await expect(service.open(pipeline(), signal)).rejects.toMatchObject({ code: 'SecretMissing' });
  });

  it.each([
    [new RetryableError('busy'), true],
    [new TypeError('no'), false],
  ])('a context that throws %s is a ContextError, and not kept', async (error, retryable) => {
    const { service, state, connector, pipeline } = aService();
    const { context } = connector;
    connector.context = () => {
      throw error;
    };
    await expect(service.open(pipeline(), signal)).rejects.toMatchObject({ code: 'ContextError', retryable });
    connector.context = context;

    await service.open(pipeline(), signal);

    expect(state.built).toHaveLength(1);
  });

  it('warns of a context that takes more than 30 seconds', async () => {
    const { service, time, connector, warnings, pipeline } = aService();
    connector.context = async () => time.advance(30_001);

    await service.open(pipeline(), signal);

    expect(warnings).toEqual([expect.stringContaining('took long')]);
  });

  it('closes every context, as well as that goes', async () => {
    const { service, state, connector, pipeline } = aService();
    await service.open(pipeline('p'), signal);
    await service.open(pipeline('q'), signal);
    const { close } = connector;
    connector.close = (context) => {
      void close!(context);
      throw new Error('cannot close');
    };

    await service.close();

    expect(state.closed).toHaveLength(2);
  });
});
