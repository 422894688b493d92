import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { MaxComputeServer } from '../../../local/servers/maxcompute/server.ts';

const SCENARIO_MS = 60_000;

/** Runs one scenario of a script of this folder against the server; gives what it returns. */
export function runScenario(
  peer: string,
  script: string,
  scenario: string,
  server: MaxComputeServer,
  more: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const python = process.env[`LANDFALL_PEER_${peer.toUpperCase()}`];
  if (!python) throw new Error(`LANDFALL_PEER_${peer.toUpperCase()} is not set: run this by "npm run test:peers"`);
  const { url, project, credentials } = server;
  const { PATH, HOME } = process.env;
  const of = JSON.stringify({ url, project, accessId: credentials.accessId, accessKey: credentials.accessKey });
  const env = { PATH, HOME, LANDFALL_SERVER: of, PYTHONDONTWRITEBYTECODE: '1', PYTHONWARNINGS: 'ignore', ...more };
  const path = fileURLToPath(new URL(script, import.meta.url));
  return new Promise((resolve, reject) => {
    execFile(python, [path, scenario], { env, maxBuffer: 64 << 20, timeout: SCENARIO_MS }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${script} ${scenario}: ${stderr.slice(-4000)}`));
      else resolve((JSON.parse(stdout.trim().split('\n').at(-1)!) as { result: unknown }).result);
    });
  });
}
