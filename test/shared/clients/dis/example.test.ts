import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { startDisServer } from '../../../../local/servers/dis/server.ts';
import { scratch } from '../../../support/client-calls.ts';

it('the example of docs/dis.md runs as it is written', async () => {
  const page = await readFile(new URL('../../../../docs/dis.md', import.meta.url), 'utf8');
  const examples = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, text]) => text!);
  const example = examples.find((text) => text.includes("from 'landfall/dis'"))!;
  const client = new URL('../../../../shared/clients/dis/index.ts', import.meta.url).href;
  const folder = await scratch();
  await writeFile(join(folder, 'example.ts'), example.replace("'landfall/dis'", JSON.stringify(client)));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await using server = await startDisServer();
  const { projectId, accessKey, secretKey } = server.credentials;
  const env = {
    DIS_ENDPOINT: server.url,
    DIS_REGION: server.region,
    DIS_PROJECT_ID: projectId,
    DIS_ACCESS_KEY: accessKey,
    DIS_SECRET_KEY: secretKey,
  };

  const { stdout } = await promisify(execFile)(process.execPath, ['example.ts'], { cwd: folder, env });

  const [stored, ...read] = stdout.trim().split('\n');
  expect(stored).toBe('stored: 1000');
  const counts = read.map((line) => /^shardId-\d{10}: (\d+) records, up to (\d+)$/.exec(line)!);
  expect(counts.reduce((sum, [, count]) => sum + Number(count), 0)).toBe(1000);
  for (const [, count, last] of counts) expect(Number(last)).toBe(Number(count) - 1);
});
