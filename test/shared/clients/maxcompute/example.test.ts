import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { startMaxComputeServer } from '../../../../local/servers/maxcompute/server.ts';

it('the example of docs/maxcompute.md runs as it is written', async () => {
  const root = new URL('../../../../', import.meta.url);
  const page = await readFile(new URL('docs/maxcompute.md', root), 'utf8');
  // The first of those that import the client.
  const example = [...page.matchAll(/```ts\n([\s\S]*?)```/g)]
    .map(([, code]) => code!)
    .find((code) => code.includes("from 'landfall/maxcompute'"))!;
  const client = new URL('shared/clients/maxcompute/index.ts', root).href;
  const folder = await mkdtemp(join(tmpdir(), 'landfall-maxcompute-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'example.ts'), example.replace("'landfall/maxcompute'", JSON.stringify(client)));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await symlink(new URL('node_modules', root), join(folder, 'node_modules'));
  await using server = await startMaxComputeServer();
  await server.sql(`CREATE TABLE ${server.project}.flights (origin STRING, delay BIGINT);`);
  const env = {
    ODPS_ENDPOINT: `${server.url}/api`,
    ODPS_PROJECT_NAME: server.project,
    ALIBABA_CLOUD_ACCESS_KEY_ID: server.credentials.accessId,
    ALIBABA_CLOUD_ACCESS_KEY_SECRET: server.credentials.accessKey,
  };

  const { stdout } = await promisify(execFile)(process.execPath, ['example.ts'], { cwd: folder, env });

  expect(stdout).toBe("[ { origin: 'OSL', delay: 12n }, { origin: 'BGO', delay: null } ]\n2 rows landed\n");
  const landed = await readFile(join(folder, 'flights.arrows'));
  expect(landed.subarray(-8).toString('hex')).toBe('ffffffff00000000');
});
