import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { startDapServer } from '../../../../local/servers/dap/server.ts';
import { scratch } from '../../../support/client-calls.ts';

it('the example of docs/dap.md runs as it is written', async () => {
  const page = await readFile(new URL('../../../../docs/dap.md', import.meta.url), 'utf8');
  const examples = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, text]) => text!);
  const example = examples.find((text) => text.includes("from 'landfall/dap'"))!;
  const client = new URL('../../../../shared/clients/dap/index.ts', import.meta.url).href;
  const folder = await scratch();
  await writeFile(join(folder, 'example.ts'), example.replace("'landfall/dap'", JSON.stringify(client)));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await using server = await startDapServer({ rows: 20, jobSpeed: Number.POSITIVE_INFINITY });
  const { clientId, clientSecret } = server.credentials;
  const env = { DAP_API_URL: server.url, DAP_CLIENT_ID: clientId, DAP_CLIENT_SECRET: clientSecret };

  const { stdout } = await promisify(execFile)(process.execPath, ['example.ts'], { cwd: folder, env });

  const [schema, firstUser, changes] = stdout.trim().split('\n');
  expect(schema).toMatch(/^users, schema version \d+$/);
  expect(firstUser).toMatch(/^\d+n? \S/);
  expect(changes).toMatch(/^up to \d{4}-.*Z: \d+ files$/);
  expect((await readdir(join(folder, 'downloads'))).every((name) => name.startsWith('job_'))).toBe(true);
});
