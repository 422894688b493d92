import { describe, expect, it } from 'vitest';
import { aggregate } from '../../../shared/connectors/aggregate.ts';
import { code } from '../../../shared/connectors/code/code.ts';
import type { Metadata } from '../../../shared/connectors/connector.ts';
import type { JsonObject } from '../../../shared/core/json.ts';
import { aRun } from '../../support/connector-run.ts';

/** A source of one folder whose leaves are these names, with these fingerprints. */
function folderOf(leaves: Record<string, string>) {
  return code({
    version: '1',
    context: () => leaves,
    *listObjects(held: Record<string, string>) {
      for (const [name, fingerprint] of Object.entries(held)) yield { name, fingerprint, isPrefix: false, size: 10 };
    },
    *readBytes(_held: unknown, { name }: Metadata) {
      yield `${name}\n`;
    },
  });
}

async function list(source: ReturnType<typeof aggregate>): Promise<JsonObject[]> {
  const { connector } = source;
  const context = await connector.context('', aRun().run);
  return (await Array.fromAsync(connector.listObjects(context, null, aRun().run))) as JsonObject[];
}

async function read(source: ReturnType<typeof aggregate>, group: JsonObject): Promise<string> {
  const { connector } = source;
  const context = await connector.context('', aRun().run);
  const run = aRun({ path: [String(group.name)] }).run;
  return (await Array.fromAsync(connector.readBytes(context, group as unknown as Metadata, run))).join('');
}

describe('aggregate', () => {
  it('leafDirectory makes one partition of a folder, in order of the names', async () => {
    const source = aggregate(folderOf({ b: '1', a: '2', c: '3' }), { strategy: 'leafDirectory' });

    const groups = await list(source);

    expect(groups.map(({ name, objects, size }) => ({ name, objects, size }))).toEqual([
      { name: 'group:all', objects: 3, size: 30 },
    ]);
    expect(await read(source, groups[0]!)).toBe('a\nb\nc\n');
  });

  it('prefixRegex groups what matches alike and leaves the rest alone', async () => {
    const source = aggregate(folderOf({ 'a-1': '1', 'a-2': '2', 'b-1': '3', other: '4' }), {
      strategy: 'prefixRegex',
      regex: '^[ab]-',
    });

    const groups = await list(source);

    expect(groups.map(({ name }) => name).sort()).toEqual(['group:a-', 'group:b-', 'other']);
    expect(await read(source, groups.find(({ name }) => name === 'other')!)).toBe('other\n');
  });

  it('adaptive changes the fingerprint of one group when one leaf changes', async () => {
    const leaves = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`leaf-${at}`, '1']));
    const options = { strategy: 'adaptive', maxObjects: 10 } as const;

    const before = await list(aggregate(folderOf(leaves), options));
    const after = await list(aggregate(folderOf({ ...leaves, 'leaf-7': '2' }), options));

    const changed = after.filter(
      (group) => !before.some((old) => old.name === group.name && old.fingerprint === group.fingerprint),
    );
    expect([before.length, changed.length]).toEqual([4, 1]);
  });

  it('lists the folder again for a group too large to carry its members, and refuses one that has changed since', async () => {
    const leaves = Object.fromEntries(
      Array.from({ length: 300 }, (_, at) => [`a-rather-long-name-of-a-leaf-${at}`, '1']),
    );
    const source = aggregate(folderOf(leaves), { strategy: 'leafDirectory' });
    const [group] = await list(source);

    expect(group).not.toHaveProperty('members');
    expect((await read(source, group!)).split('\n')).toHaveLength(301);
    await expect(read(source, { ...group!, fingerprint: 'other' })).rejects.toThrow('changed since it was listed');
  });

  it.each([
    [{ strategy: 'prefixRegex' }, '"regex" is required'],
    [{ strategy: 'prefixRegex', regex: '(' }, 'not a regular expression'],
    [{ strategy: 'none' }, 'strategy'],
  ] as const)('refuses %j', (options, message) => {
    expect(() => aggregate(folderOf({}), options as never)).toThrow(message);
  });
});
