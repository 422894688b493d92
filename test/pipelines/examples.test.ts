import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Metadata } from '../../shared/connectors/connector.ts';
import { parseListed } from '../../shared/connectors/metadata.ts';
import { loadPipelines } from '../../shared/pipelines/folder.ts';
import { aRun, bytesOf, collect } from '../support/connector-run.ts';

const pipelines = await loadPipelines('pipelines');

async function open(name: string) {
  const { connector } = (await pipelines.get(name)).source;
  if (connector.kind === 'records') throw new Error(`${name} yields records`);
  const context = await connector.context('', aRun().run);
  return {
    list: async (node: Metadata | null, given = {}) => {
      const recorded = aRun(given);
      const nodes = (await collect(connector.listObjects(context, node, recorded.run))) as Metadata[];
      for (const one of nodes) parseListed(one, []);
      return { ...recorded, nodes };
    },
    read: async (leaf: Metadata) => String(await bytesOf(connector.readBytes(context, leaf, aRun().run))),
  };
}

afterEach(() => void vi.useRealTimers());

describe('the examples', () => {
  it('all load, one for each connector', async () => {
    const loaded = await Promise.all((await pipelines.names()).map((name) => pipelines.get(name)));

    expect(new Set(loaded.map(({ source }) => source.type))).toEqual(
      new Set(['files', 'http', 's3', 'google-sheets', 'code', 'dap', 'dis', 'maxcompute']),
    );
  });

  it('vega-files lists the datasets', async () => {
    const { nodes } = await (await open('vega-files')).list(null);

    expect(nodes.length).toBeGreaterThan(60);
    expect(nodes.map(({ name }) => name)).toContain('airports.csv');
  });

  it('calendar lists years and months, and reads days', async () => {
    const { list, read } = await open('calendar');

    const { nodes: years } = await list(null);
    const { nodes: months } = await list(years[0]!);

    expect(years.map(({ name }) => name)).toEqual(['2024', '2025']);
    expect(months[1]).toEqual({ name: '02', fingerprint: 'v1', is_prefix: false, year: 2024, month: 2 });
    expect((await read(months[1]!)).split('\n')).toHaveLength(1 + 29 + 1);
    expect(await read(months[0]!)).toMatch(/^date,weekday\n2024-01-01,1\n2024-01-02,2\n/);
  });

  it('earthquakes lists a day once, and goes on where it stood', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-01-03T12:00:00Z') });
    const { list } = await open('earthquakes');
    const { nodes } = await list(null);

    const { nodes: days, checkpoints } = await list(nodes[0]!);

    expect(days.map(({ name }) => name)).toEqual(['2026-01-01', '2026-01-02']);
    expect(checkpoints).toEqual(['2026-01-02', '2026-01-03']);
    expect((await list(nodes[0]!, { resumeFrom: checkpoints.at(-1) })).nodes).toEqual([]);
  });
});
