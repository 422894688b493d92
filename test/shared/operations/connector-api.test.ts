import { describe, expect, it, onTestFinished } from 'vitest';
import { openConnectorApi, parseConnections, readConnections } from '../../../shared/operations/connector-api.ts';
import { catalogOf } from '../../../shared/pipelines/catalog.ts';
import { definePipeline, secret } from '../../../shared/pipelines/define.ts';
import { FakeConnector } from '../../support/fake-connector.ts';
import { World } from '../../support/world.ts';

const META = Buffer.from('{"id":"job-1"}').toString('base64url');

async function anApi() {
  const world = new World();
  onTestFinished(() => world.close());
  const [own, hidden] = [new FakeConnector('own'), new FakeConnector('http.job')];
  const { source } = world.pipeline;
  const pipelines = catalogOf([
    {
      file: 'jobs.ts',
      pipeline: definePipeline({
        name: 'jobs',
        source,
        credentials: secret('landfall/credential'),
        connections: { api: { secrets: { key: 'landfall/api' } } },
        asyncConnectors: [own, hidden],
      }),
    },
    {
      file: 'other.ts',
      pipeline: definePipeline({ name: 'other', source, asyncConnectors: [new FakeConnector('own')] }),
    },
  ]);
  const api = await openConnectorApi({
    deps: { ...world.deps(), pipelines },
    secrets: { get: async (reference) => `value of ${reference}` },
    connections: { configured: { configs: { region: 'eu' } } },
  });
  const get = async (query = '', type = 'own') => {
    const answer = await api({ method: 'GET', path: `/api/v1/connector/task/${type}/0/${META}`, query });
    return { ...answer, json: JSON.parse(answer.body) };
  };
  return { api, get, own, hidden };
}

describe('the connector service of a deployment', () => {
  it('has the built-in connectors, and those of its pipelines', async () => {
    const { api } = await anApi();

    const { connectors } = JSON.parse((await api({ method: 'GET', path: '/api/v1/connectors' })).body);
    const types = connectors.flatMap((one: { supportedTaskCategories: { name: string }[] }) =>
      one.supportedTaskCategories.map(({ name }) => name),
    );

    expect(types).toEqual(expect.arrayContaining(['own', 'http.job', 'landfall.refresh']));
    expect(new Set(types).size).toBe(types.length);
  });

  it('serves the first of two for one type: built-in, then by the names of the pipelines', async () => {
    const { get, own, hidden } = await anApi();

    await get();
    await get('', 'http.job');

    expect([own.calls, hidden.calls]).toEqual([['get'], []]);
  });

  it('knows the connections that were configured, and those of a pipeline by its name', async () => {
    const { get, own } = await anApi();

    expect((await get('connection=configured')).status).toBe(200);
    expect((await get('connection=jobs/api')).status).toBe(200);

    expect(own.asked.map(({ context }) => context.connection)).toEqual([
      { secrets: {}, configs: { region: 'eu' } },
      { secrets: { key: 'value of landfall/api' }, configs: {} },
    ]);
  });

  it.each(['jobs/credential', 'other/api', 'nobody/api', 'api', 'jobs'])('does not know %s', async (name) => {
    const { get, own } = await anApi();

    expect(await get(`connection=${name}`)).toMatchObject({ status: 400, json: { code: 3 } });
    expect(own.calls).toEqual([]);
  });
});

describe('LANDFALL_CONNECTIONS', () => {
  it('is JSON, by name', () => {
    expect(readConnections({ LANDFALL_CONNECTIONS: '{"a":{"configs":{"x":"y"}}}' })).toEqual({
      a: { configs: { x: 'y' } },
    });
    expect(readConnections({})).toEqual({});
  });

  it.each([
    ['{"a":', 'must be JSON, got 5 characters that are not'],
    ['[]', 'must be a JSON object with an object for each connection'],
    ['{"a":"hush-hush-1"}', 'must be a JSON object with an object for each connection'],
    ['{"a":{"secrets":{"key":7}}}', 'connection a: secrets.key must be the name of a secret'],
  ])('refuses %s, and shows nothing of it', (text, message) => {
    expect(() => parseConnections(text, 'LANDFALL_CONNECTIONS')).toThrow(message);
    expect(() => parseConnections(text, 'LANDFALL_CONNECTIONS')).not.toThrow('hush');
  });
});
