import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { beside, firstLine } from '../background.ts';
import { type BenchCase, type Figures, type Peer, RUN, runCommand } from '../measure.ts';

/** A smaller number, for a look in between: `LANDFALL_BENCH_DIS_RECORDS=100000`. */
const RECORDS = Number(process.env.LANDFALL_BENCH_DIS_RECORDS ?? 1_000_000);
const PARTITIONS = 10;
const BYTES = 200;

const here = (name: string) => fileURLToPath(new URL(`../dis/${name}`, import.meta.url));
const PYTHON = fileURLToPath(new URL('../../.venv-peers/dis/bin/python', import.meta.url));
const OURS = 'ours.mjs';

/** Runs a client beside a server of its own, both in processes of their own. @returns what the client printed last */
async function withServer(
  folder: string,
  command: string,
  args: readonly string[],
  more: NodeJS.ProcessEnv = {},
): Promise<Figures> {
  const streams = await mkdtemp(join(folder, RUN));
  try {
    return await beside(process.execPath, [here('serve.ts'), streams], firstLine, async (told) => {
      const { url, endpoint, region, projectId, accessKey, secretKey, userName, password } = JSON.parse(told);
      const env = {
        ...process.env,
        DIS_URL: url,
        DIS_ENDPOINT: endpoint,
        DIS_REGION: region,
        DIS_PROJECT_ID: projectId,
        DIS_ACCESS_KEY: accessKey,
        DIS_SECRET_KEY: secretKey,
        DIS_USER: userName,
        DIS_PASSWORD: password,
        DIS_BENCH_RECORDS: String(RECORDS),
        ...more,
        DIS_BENCH_PARTITIONS: String(PARTITIONS),
        DIS_BENCH_BYTES: String(BYTES),
      };
      const { stdout } = await runCommand(command, args, env);
      return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Figures;
    });
  } finally {
    await rm(streams, { recursive: true });
  }
}

const python = (name: string, client: string, records = RECORDS): Peer => ({
  name,
  missing: async () => (existsSync(PYTHON) ? undefined : 'not installed: npm run test:peers -- dis installs it'),
  run: (folder) =>
    withServer(folder, PYTHON, [here('peer.py'), client], {
      // The generated code of the official SDK is older than what newer versions of the package take otherwise.
      PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION: 'python',
      DIS_BENCH_RECORDS: String(records),
    }),
});

const OTCEXTENSIONS = 'otcextensions';
const OFFICIAL = 'official Python SDK';

export const disRecords: BenchCase = {
  name: 'dis',
  what: `uploading and downloading ${RECORDS.toLocaleString('en-US')} records of ${BYTES} bytes over ${PARTITIONS} partitions of a local DIS stream`,
  runs: 3,
  targets: [
    { figure: 'uploadToOtcextensions', atLeast: 5 },
    { figure: 'downloadToOtcextensions', atLeast: 5 },
    { figure: 'uploadToOfficial', atLeast: 1 },
    { figure: 'downloadToOfficial', atLeast: 1 },
    { figure: 'peakRssMib', atMost: 200 },
  ],
  notes: [
    'each client beside a server in a process of its own; ours as compiled JavaScript with --max-semi-space-size=4, four requests at a time up, two partitions at a time down',
    'the others call one request after the other, which is how they are made: otcextensions 500 records at a time, the official SDK 10,000, which it cuts itself; otcextensions is so slow that it gets a twentieth of the records',
  ],
  async prepare(folder) {
    await build({
      entryPoints: [here('ours.ts')],
      outfile: join(folder, OURS),
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node24',
      logLevel: 'warning',
    });
    return { records: RECORDS };
  },
  measure: (folder) => withServer(folder, process.execPath, ['--max-semi-space-size=4', join(folder, OURS)]),
  peers: [python(OTCEXTENSIONS, 'otcextensions', RECORDS / 20), python(OFFICIAL, 'official')],
  compare(own, peers): Figures {
    const ratios = (peer: Figures | undefined, to: string): Figures =>
      peer
        ? {
            [`uploadTo${to}`]: own.uploadPerSecond! / peer.uploadPerSecond!,
            [`downloadTo${to}`]: own.downloadPerSecond! / peer.downloadPerSecond!,
          }
        : {};
    return { ...ratios(peers[OTCEXTENSIONS], 'Otcextensions'), ...ratios(peers[OFFICIAL], 'Official') };
  },
};
