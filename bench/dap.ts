import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Credentials, DapClient, type DapClientOptions, type DapSession } from '../shared/clients/dap/index.ts';
import { beside, firstLine } from './background.ts';
import { type Figures, type Peer, RUN, runCommand } from './measure.ts';

export interface ServedDap {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
}

const PYTHON = fileURLToPath(new URL('../.venv-peers/dap/bin/python', import.meta.url));
const DAP = fileURLToPath(new URL('../.venv-peers/dap/bin/dap', import.meta.url));

/** A DAP server in a process of its own, and a folder of its own to write to. */
export async function servedDap<T>(
  folder: string,
  options: object,
  work: (server: ServedDap, target: string) => Promise<T>,
): Promise<T> {
  const target = await mkdtemp(join(folder, RUN));
  const serve = fileURLToPath(new URL('serve-dap.ts', import.meta.url));
  try {
    return await beside(process.execPath, [serve, JSON.stringify(options)], firstLine, (told) =>
      work(JSON.parse(told) as ServedDap, target),
    );
  } finally {
    await rm(target, { recursive: true });
  }
}

/** A session that no limit holds back: the server has none. */
export const openDap = ({ url, clientId, clientSecret }: ServedDap, options: DapClientOptions = {}): DapSession =>
  new DapClient({
    ...options,
    baseUrl: url,
    credentials: Credentials.create(clientId, clientSecret),
    rateLimits: { start: Infinity, job: Infinity, tables: Infinity, schema: Infinity, urls: Infinity },
  }).open();

/** Moves the server on by refreshes of the platform. */
export async function refreshDap({ url }: ServedDap, refreshes = 1): Promise<void> {
  const reply = await fetch(`${url}/_control/advance`, { method: 'POST', body: JSON.stringify({ refreshes }) });
  if (!reply.ok) throw new Error(`the server did not move on: ${reply.status}`);
}

/** Runs a command and tells the largest memory of it and of what it started. */
const MEASURED = `
import json, resource, subprocess, sys, time
began = time.monotonic()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
seconds = time.monotonic() - began
print(json.dumps({"seconds": seconds, "peakRssMib": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)}))
sys.exit(done.returncode)
`;

export const VENDOR = "the vendor's dap";
export const VENDOR_VERIFIED = "the vendor's dap, then gzip -t and sync";

/**
 * The vendor's command, as it advises scripts to use it; its time includes the start of Python, about a second.
 *
 * @param verified a folder whose files are then checked, four at a time, and synced: what our client has done by then
 */
export async function runVendor(server: ServedDap, args: readonly string[], verified?: string): Promise<Figures> {
  const env = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    DAP_API_URL: server.url,
    DAP_CLIENT_ID: server.clientId,
    DAP_CLIENT_SECRET: server.clientSecret,
    DAP_TRACKING: 'false',
  };
  const dap = [DAP, '--non-interactive', '--loglevel', 'warning', ...args];
  const check = '"$@" && find "$FOLDER" -name "*.gz" -print0 | xargs -0 -n 1 -P 4 gzip -t && sync -f "$FOLDER"';
  const command = verified === undefined ? dap : ['sh', '-c', check, 'sh', ...dap];
  const { stdout } = await runCommand(PYTHON, ['-c', MEASURED, ...command], { ...env, FOLDER: verified });
  return JSON.parse(stdout) as Figures;
}

export const vendorPeer = (run: Peer['run'], name = VENDOR): Peer => ({
  name,
  missing: async () => (existsSync(DAP) ? undefined : 'it is not installed: npm run test:peers -- dap installs it'),
  run,
});
