import { describe, expect, it } from 'vitest';
import {
  type ConnectionStore,
  connectionResolver,
  connectionStore,
  type NamedConnection,
} from '../../../../shared/connectors/async/connections.ts';
import { Redactor } from '../../../../shared/core/redaction.ts';
import { minutes } from '../../../../shared/core/units.ts';
import { secret } from '../../../../shared/pipelines/define.ts';
import { SecretMissingError } from '../../../../shared/secrets/secrets.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { aJob, failureOfCall, serviceWorld } from '../../../support/fake-connector.ts';

function world(ttlMs?: number) {
  const time = new FakeClock();
  const redactor = new Redactor();
  const values: Record<string, string> = { 'landfall/api': 'first-key', 'landfall/user': 'somebody' };
  const read: string[] = [];
  const secrets = {
    get: async (reference: string) => {
      read.push(reference);
      const value = values[reference];
      if (value === undefined) throw new SecretMissingError(`there is no secret ${reference}`);
      return value;
    },
  };
  const options = { secrets, clock: time.clock, redactor };
  const resolver = connectionResolver(ttlMs === undefined ? options : { ...options, ttlMs });
  const connections: ConnectionStore = connectionStore({
    api: { secrets: { key: 'landfall/api', user: secret('landfall/user') }, configs: { region: 'eu' } },
    athena: { taskType: 'aws.athena', configs: { workGroup: 'w' } },
    missing: { secrets: { key: 'landfall/nothing' } },
  });
  const resolve = (name: string, more = {}) => resolver.resolve(name, { taskType: 'http.job', connections, ...more });
  return { resolve, time, redactor, values, read };
}

describe('a named connection', () => {
  it('is resolved to its secrets, by name and as secret(), and its configs', async () => {
    expect(await world().resolve('api')).toEqual({
      secrets: { key: 'first-key', user: 'somebody' },
      configs: { region: 'eu' },
    });
  });

  it('teaches the redactor its values before anybody gets them', async () => {
    const { resolve, redactor } = world();

    await resolve('api');

    expect(redactor.redact('first-key of somebody')).toBe('[redacted] of [redacted]');
  });

  it.each([undefined, minutes(5), minutes(60)])(
    'is read again after 5 minutes at most (asked for %s)',
    async (ttlMs) => {
      const { resolve, time, values, read } = world(ttlMs);
      await resolve('api');
      values['landfall/api'] = 'second-key';
      time.advance(minutes(5) - 1);
      expect((await resolve('api')).secrets.key).toBe('first-key');
      expect(read).toHaveLength(2);
      time.advance(1);

      expect((await resolve('api')).secrets.key).toBe('second-key');
    },
  );

  it('is read anew when that is asked for', async () => {
    const { resolve, values } = world();
    await resolve('api');
    values['landfall/api'] = 'second-key';

    expect((await resolve('api', { fresh: true })).secrets.key).toBe('second-key');
    expect((await resolve('api')).secrets.key).toBe('second-key');
  });

  it('is read once for many that ask at a time', async () => {
    const { resolve, read } = world();

    await Promise.all([resolve('api'), resolve('api'), resolve('api')]);

    expect(read).toEqual(['landfall/api', 'landfall/user']);
  });

  it('keeps no failure', async () => {
    const { resolve, values } = world();
    await expect(resolve('missing')).rejects.toThrow(SecretMissingError);
    values['landfall/nothing'] = 'there-it-is';

    expect((await resolve('missing')).secrets).toEqual({ key: 'there-it-is' });
  });

  it('is refused to another task type than its own', async () => {
    const { resolve } = world();

    await expect(resolve('athena')).rejects.toThrow(
      'connection "athena" is for tasks of type aws.athena, not http.job',
    );
    expect(await resolve('athena', { taskType: 'aws.athena' })).toEqual({ secrets: {}, configs: { workGroup: 'w' } });
  });

  it('that nobody has is a mistake in the task', async () => {
    await expect(world().resolve('nobody')).rejects.toMatchObject({ code: 'BadTaskSpecification' });
    await expect(world().resolve('constructor')).rejects.toMatchObject({ code: 'BadTaskSpecification' });
  });

  it.each<[string, object]>([
    ['secrets.key must be the name of a secret', { secrets: { key: 7 } }],
    ['secrets.key must be the name of a secret', { secrets: { key: '' } }],
    ['configs.region must be a text, got a number', { configs: { region: 7 } }],
    ['taskType must be a text', { taskType: 7 }],
  ])('says what is wrong with it: %s', (message, connection) => {
    expect(() => connectionStore({ mine: connection as NamedConnection })).toThrow(`connection mine: ${message}`);
  });
});

describe('in the task service', () => {
  it('a call may bring the connections of its pipeline', async () => {
    const { service, connector } = serviceWorld({ connections: { api: { configs: { of: 'service' } } } });
    const connections = connectionStore({ api: { configs: { of: 'pipeline' } } });

    await service.get(aJob(), { connectionName: 'api' });
    await service.get(aJob(), { connectionName: 'api', connections });
    await service.get(aJob(), {});

    expect(connector.asked.map(({ context }) => context.connection.configs)).toEqual([
      { of: 'service' },
      { of: 'pipeline' },
      {},
    ]);
  });

  it('a call has a connection by name or of its own, not both', async () => {
    const { service } = serviceWorld();
    const call = { connectionName: 'api', connection: { secrets: {}, configs: {} } };

    expect(await failureOfCall(service.get(aJob(), call))).toMatchObject({ code: 'BadTaskSpecification' });
  });

  it('a secret that is missing is said by its name, and not taken for a mistake of the connector', async () => {
    const { service } = serviceWorld({ connections: { api: { secrets: { key: 'landfall/nothing' } } } });

    await expect(service.get(aJob(), { connectionName: 'api' })).rejects.toThrow('no secret landfall/nothing');
  });
});
