import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { disRecords } from '../cases/dis.ts';
import { firstLine } from '../background.ts';
const folder = mkdtempSync('/tmp/dis-ab-');
await disRecords.prepare!(folder);
const flags = process.argv.slice(2);
for (const who of ['ours', 'official', 'ours']) {
  const streams = mkdtempSync('/tmp/dis-st-');
  const child = spawn(process.execPath, [...flags, 'bench/dis/serve.ts', streams], { stdio: ['ignore', 'pipe', 'inherit'] });
  const told = JSON.parse(await firstLine(child));
  const env = { ...process.env, DIS_URL: told.url, DIS_ENDPOINT: told.endpoint, DIS_REGION: told.region, DIS_PROJECT_ID: told.projectId, DIS_ACCESS_KEY: told.accessKey, DIS_SECRET_KEY: told.secretKey, DIS_USER: told.userName, DIS_PASSWORD: told.password, DIS_BENCH_RECORDS: '300000', DIS_BENCH_PARTITIONS: '10', DIS_BENCH_BYTES: '200', PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION: 'python' };
  const cpu = () => { const f = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.split(' '); return (Number(f[11]) + Number(f[12])) / 100; };
  const before = cpu();
  const { spawn: sp } = await import('node:child_process');
  const out = await new Promise<string>((resolve) => { const c = who === 'ours' ? sp(process.execPath, ['--max-semi-space-size=4', `${folder}/ours.mjs`], { env }) : sp('.venv-peers/dis/bin/python', ['bench/dis/peer.py', 'official'], { env }); let o = ''; c.stdout.on('data', (d) => { o += d; }); c.stderr.on('data', () => {}); c.on('close', () => resolve(o)); });
  console.log(who, out.trim().split('\n').at(-1), 'server cpu', (cpu() - before).toFixed(2));
  child.kill('SIGKILL');
  rmSync(streams, { recursive: true });
}
