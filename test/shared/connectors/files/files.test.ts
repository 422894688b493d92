import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, open, realpath, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Metadata, ReadRun } from '../../../../shared/connectors/connector.ts';
import { fileError } from '../../../../shared/connectors/files/errors.ts';
import { type FilesOptions, files } from '../../../../shared/connectors/files/files.ts';
import { parseListed } from '../../../../shared/connectors/metadata.ts';
import { InvalidInputError } from '../../../../shared/core/errors.ts';
import { MIB } from '../../../../shared/core/units.ts';
import { aRun, bytesOf, collect } from '../../../support/connector-run.ts';

let folder: string;

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'landfall-files-')));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function given(contents: Record<string, string | Uint8Array>): Promise<void> {
  for (const [path, content] of Object.entries(contents)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

const source = (options: Partial<FilesOptions> = {}) => files({ folder, ...options }).connector;

async function list(options: Partial<FilesOptions> = {}, node: Metadata | null = null, run = aRun().run) {
  const connector = source(options);
  const context = await connector.context('', run);
  return (await collect(connector.listObjects(context, node, run))) as Metadata[];
}

/** Every leaf below the folder, by its path, as the platform would find them. */
async function tree(options: Partial<FilesOptions> = {}, run = aRun().run): Promise<Map<unknown, Metadata>> {
  const leaves = new Map<unknown, Metadata>();
  const waiting: (Metadata | null)[] = [null];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    for (const child of await list(options, node, run)) {
      if (child.isPrefix) waiting.push(child);
      else leaves.set(child.path, child);
    }
  }
  return leaves;
}

const paths = async (options: Partial<FilesOptions> = {}, run = aRun().run) =>
  [...(await tree(options, run)).keys()].sort();

async function leaf(path: string, options: Partial<FilesOptions> = {}): Promise<Metadata> {
  const found = (await tree(options)).get(path);
  if (!found) throw new Error(`${path} is not listed`);
  return found;
}

async function* read(metadata: Metadata, run: Partial<ReadRun> = {}, options: Partial<FilesOptions> = {}) {
  const connector = source(options);
  const recorded = aRun(run).run;
  yield* connector.readBytes(await connector.context('', recorded), metadata, recorded);
}

describe('files lists', () => {
  it('folders and files with what identifies them', async () => {
    await given({ 'a.csv': 'x,y\n', '2024/01/b.csv': '' });
    await utimes(join(folder, 'a.csv'), 0, 1_700_000_000);

    const nodes = await list();

    expect(nodes.sort((one, other) => (one.name < other.name ? -1 : 1))).toEqual([
      { name: '2024', fingerprint: '', isPrefix: true, path: '2024' },
      {
        name: 'a.csv',
        fingerprint: '1700000000000000000-4',
        isPrefix: false,
        lastModified: '2023-11-14T22:13:20.000Z',
        size: 4,
        path: 'a.csv',
      },
    ]);
    expect(await list({}, { name: '2024', fingerprint: '', isPrefix: true, path: '2024' })).toEqual([
      { name: '01', fingerprint: '', isPrefix: true, path: '2024/01' },
    ]);
    expect(await paths()).toEqual(['2024/01/b.csv', 'a.csv']);
  });

  it('the same fingerprint for a copy that kept its times, and another after an edit or a touch', async () => {
    await given({ 'a.csv': 'one', 'b.csv': 'one' });
    for (const name of ['a.csv', 'b.csv']) await utimes(join(folder, name), 1, 1);
    const before = await tree();
    expect(before.get('a.csv')?.fingerprint).toBe(before.get('b.csv')?.fingerprint);

    await given({ 'a.csv': 'four' });
    await utimes(join(folder, 'a.csv'), 1, 1);
    await utimes(join(folder, 'b.csv'), 1, 2);

    const after = await tree();
    expect(after.get('a.csv')?.fingerprint).not.toBe(before.get('a.csv')?.fingerprint);
    expect(after.get('b.csv')?.fingerprint).not.toBe(before.get('b.csv')?.fingerprint);
  });

  it('a hash as fingerprint when asked to, which a touch leaves as it is', async () => {
    await given({ 'a.bin': 'hello' });
    const before = await leaf('a.bin', { fingerprint: 'sha256' });
    await utimes(join(folder, 'a.bin'), 5, 5);

    const after = await leaf('a.bin', { fingerprint: 'sha256' });

    expect(before.fingerprint).toBe(createHash('sha256').update('hello').digest('hex'));
    expect(after.fingerprint).toBe(before.fingerprint);
  });

  it('names of every sort, all of which the platform takes', async () => {
    const names = [
      'n'.repeat(255),
      'é'.repeat(127),
      'new\nline\r\t\u0001\u007f',
      'back\\slash',
      ' spaces ',
      '日本語.csv',
      '🙂',
      'e\u0301 and \u00e9',
      '*?[x]{y}',
      '%2e%2e%2f',
      '-rf',
      '\ufffd',
    ];
    await given(Object.fromEntries(names.map((name) => [name, name])));

    const nodes = await list();

    expect(nodes.map(({ name }) => name).sort()).toEqual([...names].sort());
    for (const node of nodes) {
      expect(parseListed(node, []).name).toBe(node.name);
      expect(String(await bytesOf(read(node)))).toBe(node.name);
    }
  });

  it.runIf(process.platform === 'linux')('a name that is not UTF-8 as an error, unless it is ignored', async () => {
    const name = Buffer.concat([Buffer.from(`${folder}/caf`), Buffer.from([0xe9]), Buffer.from('.csv')]);
    await writeFile(name, '');
    await given({ 'ok.csv': '' });

    await expect(list()).rejects.toThrow('in "." the name "caf\\xe9.csv" is not UTF-8');
    await expect(list()).rejects.toMatchObject({ code: 'InvalidListing' });
    expect(await paths({ ignore: 'caf?.csv' })).toEqual(['ok.csv']);
  });

  it('what matches, and not what is ignored or hidden', async () => {
    await given({
      'a.csv': '',
      'b.json': '',
      '.c.csv': '',
      'x/d.csv': '',
      'x/y/e.csv': '',
      'tmp/f.csv': '',
      '.git/g.csv': '',
    });

    expect(await paths()).toEqual(['a.csv', 'b.json', 'tmp/f.csv', 'x/d.csv', 'x/y/e.csv']);
    expect(await paths({ match: '*.csv' })).toEqual(['a.csv', 'tmp/f.csv', 'x/d.csv', 'x/y/e.csv']);
    expect(await paths({ match: ['x/*.csv', '*.json'] })).toEqual(['b.json', 'x/d.csv']);
    expect(await paths({ match: 'x/**', ignore: 'e.*' })).toEqual(['x/d.csv']);
    expect(await paths({ ignore: ['tmp/', 'x/y'] })).toEqual(['a.csv', 'b.json', 'x/d.csv']);
    expect(await paths({ hidden: true, ignore: ['tmp', 'x'] })).toEqual(['.c.csv', '.git/g.csv', 'a.csv', 'b.json']);
  });

  it('more files than it holds at once', async () => {
    const names = Array.from({ length: 1000 }, (_, number) => `${number}.txt`);
    await given(Object.fromEntries(names.map((name) => [name, ''])));

    expect(await paths()).toEqual(names.sort());
  });

  it('a folder that changes under it, without what is gone', async () => {
    const names = Array.from({ length: 600 }, (_, number) => `${number}.txt`);
    await given(Object.fromEntries(names.map((name) => [name, ''])));
    const connector = source();
    const listing = connector.listObjects(await connector.context('', aRun().run), null, aRun().run);
    const seen: unknown[] = [];

    for await (const { name } of listing) {
      if (seen.length === 0) {
        for (const gone of names) if (gone !== name) await rm(join(folder, gone));
        await given({ 'new.txt': '' });
      }
      seen.push(name);
    }

    // The first batch had been looked at before; of the rest nothing is left, and what is new may or may not be seen.
    expect(seen.length).toBeLessThanOrEqual(257);
  });

  it('a sub-folder that went away as empty, with a warning', async () => {
    const { run, warnings } = aRun();

    expect(await list({}, { name: 'gone', fingerprint: '', isPrefix: true, path: 'gone' }, run)).toEqual([]);
    expect(warnings).toHaveLength(1);
  });

  it('and refuses a folder that is not there, or is a file, by its path', async () => {
    await given({ file: '' });

    for (const [name, complaint] of [
      ['missing', 'does not exist (ENOENT)'],
      ['file', 'is not a folder'],
    ] as const) {
      const path = join(folder, name);
      const opened = Promise.resolve(files({ folder: path }).connector.context('', aRun().run));
      await expect(opened).rejects.toThrow(`files: ${JSON.stringify(path)} ${complaint}`);
      await expect(opened).rejects.toMatchObject({ code: 'SourceRefused', retryable: false });
    }
  });

  it('until it is told to stop', async () => {
    await given({ a: '' });
    const stop = AbortSignal.abort(new Error('time is up'));

    await expect(list({}, null, aRun({ signal: stop }).run)).rejects.toThrow('time is up');
  });
});

describe('files and links', () => {
  let outside: string;

  beforeEach(async () => {
    outside = await mkdtemp(join(tmpdir(), 'landfall-outside-'));
    await writeFile(join(outside, 'secret'), 'secret');
    await given({ 'in/a.txt': 'a' });
    await symlink(join(outside, 'secret'), join(folder, 'file-out'));
    await symlink(outside, join(folder, 'folder-out'));
    await symlink('in/a.txt', join(folder, 'file-in'));
    await symlink('in', join(folder, 'folder-in'));
    await symlink('..', join(folder, 'in', 'up'));
    await symlink('nowhere', join(folder, 'dangling'));
  });

  afterEach(async () => {
    await rm(outside, { recursive: true, force: true });
  });

  it('leaves them out, and says so once a folder', async () => {
    const { run, warnings } = aRun();

    expect(await paths({}, run)).toEqual(['in/a.txt']);
    expect(warnings.map(({ facts }) => [facts.folder, facts.count])).toEqual([
      ['', 5],
      ['in', 1],
    ]);
  });

  it('follows them inside the folder only, and never in a circle', async () => {
    const { run, warnings } = aRun();

    expect(await paths({ followLinks: true }, run)).toEqual(['file-in', 'folder-in/a.txt', 'in/a.txt']);
    expect(warnings.map(({ message }) => message)).toEqual(
      expect.arrayContaining([
        'left out: a link that leads out of the folder',
        'left out: a link that leads nowhere',
        'left out: a link to a folder it lies in',
      ]),
    );
    expect(
      String(await bytesOf(read(await leaf('folder-in/a.txt', { followLinks: true }), {}, { followLinks: true }))),
    ).toBe('a');
  });

  it('ends where two folders hold links to each other', async () => {
    await given({ 'one/1': '', 'two/2': '' });
    await symlink('../two', join(folder, 'one', 'other'));
    await symlink('../one', join(folder, 'two', 'other'));

    const found = await paths({ followLinks: true, match: ['1', '2'] });

    expect(found).toEqual(['one/1', 'one/other/2', 'two/2', 'two/other/1']);
  });

  it('reads nothing outside, whatever the metadata says or a folder has become', async () => {
    const inside = await leaf('in/a.txt');
    await rm(join(folder, 'in'), { recursive: true });
    await symlink(outside, join(folder, 'in'));
    await writeFile(join(outside, 'a.txt'), 'a');

    for (const followLinks of [false, true]) {
      for (const path of ['in/a.txt', '../secret', '/etc/passwd', '', 'file-out', 'folder-out/secret']) {
        const reading = bytesOf(read({ ...inside, path }, {}, { followLinks }));
        await expect(reading).rejects.toMatchObject({ code: 'SourceChanged' });
      }
    }
  });

  it('lists a root that is a link itself', async () => {
    await symlink(folder, join(outside, 'current'));

    expect((await list({ folder: join(outside, 'current') })).map(({ name }) => name)).toEqual(['in']);
  });
});

describe('files reads', () => {
  it.each([0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB])('a file of %i bytes', async (size) => {
    const content = randomBytes(size);
    await given({ f: content });

    const chunks = await collect(read(await leaf('f')));

    expect(Buffer.concat(chunks as Uint8Array[]).equals(content)).toBe(true);
    expect(chunks.every((chunk) => chunk.length > 0 && chunk.length <= MIB)).toBe(true);
  });

  it('with a checkpoint every 64 MiB, and on from any of them', async () => {
    const size = 130 * MIB + 5;
    await given({ f: 'start' });
    await truncate(join(folder, 'f'), size);
    const file = await open(join(folder, 'f'), 'r+');
    await file.write('end', size - 3);
    await file.close();
    const listed = await leaf('f');
    const { run, checkpoints } = aRun();
    const connector = source();

    let total = 0;
    for await (const chunk of connector.readBytes(await connector.context('', run), listed, run)) total += chunk.length;
    const rest = await bytesOf(read(listed, { resumeFrom: 128 * MIB, resumeAtByte: 128 * MIB }));

    expect(total).toBe(size);
    expect(checkpoints).toEqual([64 * MIB, 128 * MIB]);
    expect(rest.length).toBe(2 * MIB + 5);
    expect(String(rest.subarray(-3))).toBe('end');
  });

  it('nothing from a cursor that is none of its own', async () => {
    await given({ f: 'abc' });
    const listed = await leaf('f');

    for (const resumeFrom of [-1, 4, 1.5, '1', null]) {
      await expect(bytesOf(read(listed, { resumeFrom }))).rejects.toMatchObject({ code: 'InvalidInput' });
    }
    expect(String(await bytesOf(read(listed, { resumeFrom: 1 })))).toBe('bc');
    expect(String(await bytesOf(read(listed, { resumeFrom: 3 })))).toBe('');
  });

  it('and fails when the file changed since the listing', async () => {
    await given({ f: 'before', g: 'gone', h: 'here' });
    const [f, g, h] = [await leaf('f'), await leaf('g'), await leaf('h')];
    await given({ f: 'after it' });
    await rm(join(folder, 'g'));
    await rm(join(folder, 'h'));
    await mkdir(join(folder, 'h'));

    await expect(bytesOf(read(f))).rejects.toThrow('"f" changed since it was listed');
    await expect(bytesOf(read(g))).rejects.toThrow('"g" is gone, or now leads elsewhere');
    for (const node of [f, g, h]) {
      await expect(bytesOf(read(node))).rejects.toMatchObject({ code: 'SourceChanged', retryable: false });
    }
  });

  it.each<[string, string, (path: string) => Promise<void>]>([
    ['is cut short', 'SourceTruncated', (path) => truncate(path, MIB + 7)],
    ['grows', 'SourceChanged', (path) => truncate(path, 9 * MIB)],
    ['is touched', 'SourceChanged', (path) => utimes(path, 1, 1)],
  ])('and fails when the file %s meanwhile', async (_what, code, change) => {
    await given({ f: randomBytes(3 * MIB) });
    const reading = read(await leaf('f'));

    await reading.next();
    await change(join(folder, 'f'));

    await expect(collect(reading)).rejects.toMatchObject({ code });
  });

  it('the file it opened, when another takes its name meanwhile', async () => {
    const content = randomBytes(2 * MIB);
    await given({ f: content, other: 'other' });
    const reading = read(await leaf('f'));

    const first = await reading.next();
    await rename(join(folder, 'other'), join(folder, 'f'));

    const rest = await bytesOf(reading);
    expect(Buffer.concat([first.value as Uint8Array, rest]).equals(content)).toBe(true);
  });

  it('and by sha256 notices a change that kept time and size, also when it goes on in the middle', async () => {
    const options = { fingerprint: 'sha256' } as const;
    await given({ f: Buffer.alloc(2 * MIB, 'a') });
    const listed = await leaf('f', options);
    await utimes(join(folder, 'f'), 1, 1);

    expect((await bytesOf(read(listed, {}, options))).length).toBe(2 * MIB);
    expect((await bytesOf(read(listed, { resumeFrom: MIB }, options))).length).toBe(MIB);
    await given({ f: Buffer.alloc(2 * MIB, 'b') });
    await expect(bytesOf(read(listed, {}, options))).rejects.toThrow('changed while it was read');
    await expect(bytesOf(read(listed, { resumeFrom: MIB }, options))).rejects.toMatchObject({ code: 'SourceChanged' });
  });
});

describe('the errors of a file system', () => {
  it.each([
    ['EACCES', 'SourceRefused', false, 'may not be read (EACCES)'],
    ['ENOTDIR', 'SourceRefused', false, 'is not a folder (ENOTDIR)'],
    ['ENAMETOOLONG', 'SourceRefused', false, 'is too long a path (ENAMETOOLONG)'],
    ['EMFILE', 'Retryable', true, 'cannot be read now (EMFILE)'],
    ['ESTALE', 'Retryable', true, 'cannot be read now (ESTALE)'],
  ])('%s name the path and say whether to try again', (code, ours, retryable, complaint) => {
    const error = fileError(Object.assign(new Error(`${code}: no`), { code }), '/data/new\nline');

    expect(error).toMatchObject({ code: ours, retryable });
    expect((error as Error).message).toBe(`files: "/data/new\\nline" ${complaint}`);
  });

  it('pass as they are when nothing is known of them', () => {
    const error = new Error('odd');

    expect(fileError(error, '/data')).toBe(error);
  });
});

describe('files options', () => {
  it.each([
    [{}, '"folder" is required'],
    [{ folder: '' }, '"folder" must be'],
    [{ folder: 'x', glob: '*' }, 'unknown option "glob"'],
    [{ folder: 'x', fingerprint: 'md5' }, '"fingerprint" must be one of "mtime+size", "sha256", got "md5"'],
    [{ folder: 'x', match: [1] }, '"match"[0] must be a string'],
    [{ folder: 'x', match: '/abs/*.csv' }, '"match" takes relative patterns'],
    [{ folder: 'x', match: './a.csv' }, '"match" takes relative patterns'],
    [{ folder: 'x', ignore: ['../a'] }, '"ignore" takes relative patterns'],
    [{ folder: 'x', ignore: '' }, '"ignore" takes relative patterns'],
  ])('%j is refused by name', (options, complaint) => {
    expect(() => files(options as FilesOptions)).toThrow(InvalidInputError);
    expect(() => files(options as FilesOptions)).toThrow(complaint);
  });

  it('change its identity only by the folder', () => {
    expect(files({ folder: 'a', match: '*.csv' }).identity).toEqual(files({ folder: 'a' }).identity);
    expect(files({ folder: 'b' }).identity).not.toEqual(files({ folder: 'a' }).identity);
  });
});
