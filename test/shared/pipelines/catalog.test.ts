import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { catalogOf, type LoadedPipeline } from '../../../shared/pipelines/catalog.ts';
import { definePipeline } from '../../../shared/pipelines/define.ts';
import { loadPipelines } from '../../../shared/pipelines/folder.ts';
import { ScriptedSource } from '../../support/scripted-source.ts';

const loaded = (name: string, file = `pipelines/${name}.ts`): LoadedPipeline => ({
  file,
  pipeline: definePipeline({ name, source: new ScriptedSource().source() }),
});

describe('catalogOf', () => {
  it('knows its pipelines by name, in order', async () => {
    const catalog = catalogOf([loaded('b'), loaded('a')]);

    expect(await catalog.names()).toEqual(['a', 'b']);
    expect((await catalog.get('b')).name).toBe('b');
  });

  it('an unknown one is refused with the names there are', async () => {
    await expect(catalogOf([loaded('a'), loaded('b')]).get('c')).rejects.toMatchObject({
      code: 'UnknownPipeline',
      message: 'there is no pipeline "c"; there are a, b',
    });
    await expect(catalogOf([]).get('c')).rejects.toMatchObject({ code: 'UnknownPipeline' });
  });

  it('one that cannot be loaded does not keep the others from being found', async () => {
    const catalog = catalogOf([loaded('a'), { file: 'pipelines/b.ts', error: new Error('Unexpected token') }]);

    expect(await catalog.names()).toEqual(['a']);
    await expect(catalog.get('b')).rejects.toMatchObject({
      code: 'InvalidPipeline',
      message: expect.stringMatching(/pipelines\/b\.ts.*Unexpected token/),
    });
  });

  it('two files of one name are refused, both named', () => {
    expect(() => catalogOf([loaded('a', 'x.ts'), loaded('a', 'y.ts')])).toThrow(/y\.ts.*"a".*x\.ts/);
  });
});

describe('loadPipelines', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'landfall-pipelines-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const shared = (path: string) => JSON.stringify(resolve('shared', path));
  const write = (file: string, body: string) => writeFileSync(join(folder, file), body);
  const pipeline = (name: string) => `
    import { definePipeline } from ${shared('pipelines/define.ts')};
    import { code } from ${shared('connectors/code/code.ts')};
    export default definePipeline({
      name: '${name}',
      source: code({ context: () => null, listObjects: () => [], readBytes: () => [] }),
    });`;

  it('takes every file of the folder that defines one, and no other', async () => {
    write('one.ts', pipeline('one'));
    write('two.mjs', pipeline('two'));
    write('one.test.ts', 'throw new Error("a test")');
    write('notes.md', '# notes');
    mkdirSync(join(folder, 'helpers'));
    write('helpers/shared.ts', 'throw new Error("not loaded")');

    expect(await (await loadPipelines(folder)).names()).toEqual(['one', 'two']);
  });

  it.each([
    ['does not load', 'const = 7;'],
    ['throws', 'throw new Error("no such thing");'],
    ['exports nothing', 'export const pipeline = 1;'],
    ['exports something else', 'export default { name: "broken" };'],
  ])('a file that %s is refused by its name', async (_what, body) => {
    write('broken.mjs', body);
    write('good.ts', pipeline('good'));

    const catalog = await loadPipelines(folder);

    expect((await catalog.get('good')).name).toBe('good');
    await expect(catalog.get('broken')).rejects.toMatchObject({
      code: 'InvalidPipeline',
      message: expect.stringContaining('broken.mjs'),
    });
  });

  it('a wrong option is told with its name', async () => {
    write('wrong.mjs', pipeline('wrong').replace("name: 'wrong',", "name: 'wrong', retires: 3,"));

    await expect((await loadPipelines(folder)).get('wrong')).rejects.toMatchObject({
      message: expect.stringContaining('retires'),
    });
  });

  it('a folder that is none is refused', async () => {
    await expect(loadPipelines(join(folder, 'nothing'))).rejects.toMatchObject({ code: 'InvalidPipeline' });
  });
});
