import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { createAws, openAws } from '../../shared/backends/aws.ts';
import { files } from '../../shared/connectors/files/files.ts';
import { definePipeline } from '../../shared/pipelines/define.ts';
import { beside } from '../background.ts';
import { refresh } from '../landfall.ts';
import { LARGE_NAME, largeFolderIn, makeLargeObject, mibPerSecond } from '../large-object.ts';
import { type BenchCase, type Figures, findCommand, runCommand, timed } from '../measure.ts';

const VENV = fileURLToPath(new URL('../../.venv/bin/', import.meta.url));
const MOTO = join(VENV, 'moto_server');
const BUCKET = 'bench';
const AWS_CLI = 'aws s3 cp';

/** Starts moto with an empty bucket, points the SDK of this process and of its children at it, and ends it afterwards. */
async function withMoto(work: () => Promise<Figures>): Promise<Figures> {
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: 'testing',
    AWS_SECRET_ACCESS_KEY: 'testing',
    AWS_REGION: 'eu-central-1',
    AWS_DEFAULT_REGION: 'eu-central-1',
    AWS_EC2_METADATA_DISABLED: 'true',
  });
  delete process.env.AWS_PROFILE;
  const args = ['-H', '127.0.0.1', '-p', String(port)];
  return beside(
    MOTO,
    args,
    () => answers(endpoint),
    async () => {
      const s3 = new S3Client({ forcePathStyle: true });
      const location = { LocationConstraint: 'eu-central-1' } as const;
      await s3.send(new CreateBucketCommand({ Bucket: BUCKET, CreateBucketConfiguration: location }));
      s3.destroy();
      return work();
    },
  );
}

async function answers(endpoint: string): Promise<string> {
  for (;;) {
    const answered = await fetch(`${endpoint}/moto-api/data.json`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (answered) return endpoint;
    await wait(100);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

const awsCli = async () => {
  const inVenv = join(VENV, 'aws');
  return existsSync(inVenv) ? inVenv : findCommand('aws');
};

export const awsObject: BenchCase = {
  name: 'aws',
  what: 'landing one 2 GiB object to the aws backend on moto',
  prepared: 'large',
  runs: 3,
  targets: [{ figure: 'peakRssMib', atMost: 250 }],
  notes: ['the object is a local file, read by the files connector'],
  missing: async () => (existsSync(MOTO) ? undefined : 'moto is not installed: npm run test:aws makes .venv'),
  async prepare(folder) {
    await makeLargeObject(folder);
    return {};
  },
  measure: (folder) =>
    withMoto(async () => {
      await createAws({ prefix: 'bench' });
      const pipeline = definePipeline({ name: 'bench', source: files({ folder: largeFolderIn(folder) }) });
      const open = () => openAws({ prefix: 'bench', bucket: BUCKET, forcePathStyle: true });
      const figures = await refresh(pipeline, open);
      return { ...figures, ...mibPerSecond(figures.seconds) };
    }),
  peers: [
    {
      name: AWS_CLI,
      missing: async () => ((await awsCli()) ? undefined : 'the aws command is not installed'),
      run: (folder) =>
        withMoto(async () => {
          const source = join(largeFolderIn(folder), LARGE_NAME);
          const args = ['s3', 'cp', '--only-show-errors', source, `s3://${BUCKET}/${LARGE_NAME}`];
          const command = (await awsCli())!;
          const { seconds } = await timed(() => runCommand(command, args));
          return mibPerSecond(seconds);
        }),
    },
  ],
  compare(own, peers): Figures {
    const cli = peers[AWS_CLI];
    return cli ? { timesAwsCli: own.seconds! / cli.seconds! } : {};
  },
};
