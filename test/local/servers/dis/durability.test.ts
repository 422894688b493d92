import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startDisServer } from '../../../../local/servers/dis/server.ts';
import { base64, DisApi, startDisApi } from '../../../support/dis-api.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'landfall-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const segments = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.segment'))
    .map((name) => join(folder, name))
    .sort();

describe('a server with a folder', () => {
  it('knows everything again when it is started once more', async () => {
    const folder = newFolder();
    const before = await startDisApi({ folder, scalingLimits: { down: 5 } });
    await before.stream('s', 2);
    await before.put(['a', 'b'], 0);
    await before.put(['c'], 1);
    await before.call('PUT', '/streams/s', { target_partition_count: 1 });
    await before.call('POST', '/apps', { app_name: 'reader' });
    await before.call('POST', '/checkpoints', {
      app_name: 'reader',
      checkpoint_type: 'LAST_READ',
      stream_name: 's',
      partition_id: '0',
      sequence_number: '1',
    });
    await before.call('POST', '/streams/s/transfer-tasks', {
      obs_destination_descriptor: { task_name: 't', agency_name: 'a', obs_bucket_path: 'bucket' },
    });
    const paths = [
      '/streams/s',
      '/apps',
      '/apps/reader/streams/s?checkpoint_type=LAST_READ',
      '/streams/s/transfer-tasks/t',
    ];
    const answers = await Promise.all(paths.map((path) => before.get(path)));
    const { partition_cursor: cursor } = (await before.cursor('cursor-type=TRIM_HORIZON')).json;
    const { credentials } = before.server;
    await before.server.close();

    await using after = new DisApi(await startDisServer({ folder, clock: before.time.clock }), before.time);

    expect(after.server.credentials).toEqual(credentials);
    expect((await Promise.all(paths.map((path) => after.get(path)))).map(({ json }) => json)).toEqual(
      answers.map(({ json }) => json),
    );
    expect((await after.read(cursor)).json.records.map(({ data }) => data)).toEqual([base64('a'), base64('b')]);
    expect(await after.texts(1)).toEqual(['c']);
    await after.put(['more'], 0);
    expect(await after.texts(0)).toEqual(['a', 'b', 'more']);
  });

  it('is there with all that it acknowledged after it was killed', async () => {
    const folder = newFolder();
    const script = new URL('../../../../local/servers/dis/emulate.ts', import.meta.url).href;
    const code = `import(${JSON.stringify(script)}).then(({ emulateDis }) => emulateDis({ folder: process.argv[1] },
      { print: (line) => console.log(line), signal: new AbortController().signal }))`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', code, folder]);
    onTestFinished(() => void child.kill('SIGKILL'));
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const { url, projectId, token } = JSON.parse(line) as Record<string, string>;
    const post = (path: string, body: object) =>
      fetch(`${url}/v2/${projectId}${path}`, {
        method: 'POST',
        headers: { 'x-auth-token': token! },
        body: JSON.stringify(body),
      });
    await post('/streams', { stream_name: 's', partition_count: 1 });
    let acknowledged = 0;
    const uploading = (async () => {
      for (;;) {
        const records = Array.from({ length: 50 }, (_, at) => ({ data: base64(`${acknowledged + at}`) }));
        const reply = await post('/records', { stream_name: 's', records });
        await reply.arrayBuffer();
        acknowledged += 50;
        if (acknowledged === 1000) child.kill('SIGKILL');
      }
    })();
    await expect(uploading).rejects.toThrow();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');

    await using api = new DisApi(await startDisServer({ folder }), new FakeClock());

    const texts = await api.texts();
    expect(texts.length).toBeGreaterThanOrEqual(acknowledged);
    expect(texts.slice(0, acknowledged)).toEqual(Array.from({ length: acknowledged }, (_, at) => `${at}`));
  });

  it.each([
    ['cut off', (path: string) => truncateSync(path, statSync(path).size - 1), ['a']],
    ['written in part', (path: string) => appendFileSync(path, Buffer.alloc(20, 1)), ['a', 'b']],
    ['written wrongly', (path: string) => appendFileSync(path, Buffer.alloc(100, 1)), ['a', 'b']],
  ])('drops a last write that was %s', async (_, spoil, kept) => {
    const folder = newFolder();
    const before = await startDisApi({ folder });
    await before.stream();
    await before.put(['a']);
    await before.put(['b']);
    await before.server.close();
    spoil(segments(folder)[0]!);

    await using after = await startDisApi({ folder });

    expect(await after.texts()).toEqual(kept);
    await after.put(['c']);
    expect(await after.texts()).toEqual([...kept, 'c']);
  });

  it('says which file is damaged where it is not the end of the last one', async () => {
    const folder = newFolder();
    const before = await startDisApi({ folder, segmentBytes: 100 });
    await before.stream();
    for (const text of ['a', 'b', 'c', 'd']) await before.put([text]);
    await before.server.close();
    const [first] = segments(folder);
    truncateSync(first!, statSync(first!).size - 1);

    await expect(startDisApi({ folder })).rejects.toThrow(
      /segment file .*0000000000000000\.segment is damaged at byte/,
    );
  });

  it('belongs to one server at a time', async () => {
    const folder = newFolder();
    await using _first = await startDisApi({ folder });
    await expect(startDisApi({ folder })).rejects.toThrow(`the folder ${folder} is in use`);
  });

  it('removes files whose records have aged out, and remembers where it was', async () => {
    const folder = newFolder();
    const before = await startDisApi({ folder, segmentBytes: 100 });
    await before.stream();
    for (const text of ['a', 'b', 'c', 'd']) await before.put([text]);
    expect(segments(folder).length).toBeGreaterThan(1);
    await before.server.advance(24 * 3_600_000);
    expect(segments(folder)).toHaveLength(1);
    await before.server.close();

    await using after = new DisApi(await startDisServer({ folder, clock: before.time.clock }), before.time);
    await after.put(['e']);
    const { json } = await after.cursor('cursor-type=TRIM_HORIZON');
    expect((await after.read(json.partition_cursor)).json.records[0]?.sequence_number).toBe('4');
  });

  it('writes a delivery again, to the same file, if it was not done with it', async () => {
    const folder = newFolder();
    const before = await startDisApi({ folder });
    await before.stream();
    await before.call('POST', '/streams/s/transfer-tasks', {
      obs_destination_descriptor: {
        task_name: 't',
        agency_name: 'a',
        obs_bucket_path: 'bucket',
        deliver_time_interval: 30,
        retry_duration: 600,
      },
    });
    await before.put(['a']);
    // The bucket is a file, so that the delivery is decided and fails.
    const { mkdirSync, writeFileSync } = await import('node:fs');
    mkdirSync(join(folder, 'obs'));
    writeFileSync(join(folder, 'obs', 'bucket'), '');
    await before.server.advance(30_000);
    const decidedMs = before.server.now().getTime();
    await before.server.close();
    rmSync(join(folder, 'obs', 'bucket'));

    before.time.moveTo(decidedMs);
    await using after = new DisApi(await startDisServer({ folder, clock: before.time.clock }), before.time);
    await after.put(['b']);
    await after.server.advance(1000);

    const names = readdirSync(join(folder, 'obs', 'bucket')).filter((name) => name.endsWith('.txt'));
    expect(names).toEqual([expect.stringMatching(new RegExp(`_0_${decidedMs}\\.txt$`))]);
    expect(statSync(join(folder, 'obs', 'bucket', names[0]!)).size).toBe(2);
  });
});
