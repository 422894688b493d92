import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { openAws } from '../../shared/backends/aws.ts';
import { Credentials, DapClient } from '../../shared/clients/dap/index.ts';
import { DisClient } from '../../shared/clients/dis/index.ts';
import { MaxComputeClient } from '../../shared/clients/maxcompute/index.ts';
import { sendTo } from '../../shared/connectors/async/built-in/http/api.ts';
import type { BytesConnector, Source } from '../../shared/connectors/connector.ts';
import { googleSheets } from '../../shared/connectors/google-sheets/google-sheets.ts';
import { http } from '../../shared/connectors/http/http.ts';
import { s3 } from '../../shared/connectors/s3/s3.ts';
import { systemClock } from '../../shared/core/clock.ts';
import { errorFacts } from '../../shared/core/errors.ts';
import { openDatabase } from '../../shared/sinks/sql/open.ts';
import { aRun, collect } from '../support/connector-run.ts';
import { FakeGoogle } from '../support/fake-google.ts';
import { CERTIFICATE, servePostgresTls, serveTls } from '../support/tls-server.ts';

const ROOT = join(import.meta.dirname, '../..');
const KEYS = '{"accessKeyId":"id","secretAccessKey":"canary"}';

async function list({ connector }: Source, credential: string): Promise<unknown> {
  const typed = connector as BytesConnector;
  const context = await typed.context(credential, aRun().run);
  onTestFinished(() => void typed.close?.(context));
  return collect(typed.listObjects(context, null, aRun().run));
}

async function callAws(url: string, call: (backend: ReturnType<typeof openAws>) => Promise<unknown>): Promise<unknown> {
  vi.stubEnv('AWS_ENDPOINT_URL', url);
  vi.stubEnv('AWS_REGION', 'eu-central-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'id');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'canary');
  const backend = openAws({ prefix: 'p', bucket: 'b', forcePathStyle: true });
  onTestFinished(() => backend.close());
  return call(backend);
}

afterEach(() => void vi.unstubAllEnvs());

/** Every way out there is, as a call to the server at a URL. */
const WAYS: Readonly<Record<string, (url: string) => Promise<unknown>>> = {
  'the connector http': (url) => list(http({ urls: [`${url}/a`] }), 'canary'),
  'the connector s3': (url) => list(s3({ bucket: 'b', endpoint: url, region: 'eu-central-1' }), KEYS),
  async 'the connector googleSheets'(url) {
    const google = new FakeGoogle();
    const urls = { sheetsUrl: `${url}/v4`, driveUrl: `${url}/drive`, tokenUrl: `${url}/token` };
    await google.start();
    onTestFinished(() => google.stop());
    return list(googleSheets({ spreadsheetId: 'id', range: 'A:A', ...urls }), google.credential);
  },
  'the jobs http.job and sensor.http': (url) =>
    sendTo(
      { method: 'GET', url: new URL(url), headers: {}, auth: { type: 'bearer', secret: 'key' } },
      {
        clock: systemClock,
        signal: new AbortController().signal,
        connection: { configs: { baseUrl: url }, secrets: { key: 'canary' } },
      } as unknown as Parameters<typeof sendTo>[1],
      { sleep: async () => {} },
    ),
  async 'the client of DAP'(url) {
    const credentials = Credentials.create('region#id', 'canary');
    await using session = new DapClient({ baseUrl: url, credentials, sleep: async () => {} }).open();
    return await session.getTables('canvas');
  },
  'the client of DIS': (url) =>
    new DisClient({
      endpoint: url,
      projectId: 'p',
      region: 'eu-de',
      credentials: { accessKey: 'id', secretKey: 'canary' },
      sleep: async () => {},
    }).getStream('s'),
  'the client of MaxCompute': (url) =>
    new MaxComputeClient({
      tunnelEndpoint: url,
      project: 'p',
      credentials: { accessId: 'id', accessKey: 'canary' },
      sleep: async () => {},
    })
      .table('t')
      .createReadSession(),
  'the tables on AWS': (url) => callAws(url, ({ tables }) => tables.nodes.get({ pk: 'a', sk: 'b' })),
  'the queues on AWS': (url) => callAws(url, ({ queues }) => queues.send('list-objects', [{ body: 'x' }])),
  'the objects on AWS': (url) => callAws(url, ({ objects }) => objects.head('a')),
  'the secrets on AWS': (url) => callAws(url, ({ secrets }) => secrets.get('landfall/a')),
};

describe('a certificate that nobody vouches for', () => {
  it.each(Object.entries(WAYS))('is refused by %s', { timeout: 30_000 }, async (_name, call) => {
    let heard = 0;
    const url = await serveTls((_request, response) => {
      heard++;
      response.end('{}');
    });

    const error = await call(url).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );

    expect(errorFacts(error).message).toMatch(/self.signed certificate|DEPTH_ZERO_SELF_SIGNED_CERT/i);
    expect(heard).toBe(0);
  });

  it.each(['verify-ca', 'verify-full'])(
    'is refused by PostgreSQL’s sink with %s, before it says who it is',
    async (ssl) => {
      const heard: Buffer[] = [];
      const port = await servePostgresTls((bytes) => heard.push(bytes));

      const opened = openDatabase(`postgresql://me:canary@127.0.0.1:${port}/db?ssl=${ssl}`);

      await expect(opened).rejects.toMatchObject({ message: expect.not.stringContaining('canary') });
      expect(heard).toEqual([]);
    },
  );
});

describe('a redirect from https to http', () => {
  it('is not followed, unless the pipeline says so', async () => {
    const before = getCACertificates();
    setDefaultCACertificates([...before, CERTIFICATE]);
    onTestFinished(() => setDefaultCACertificates(before));
    const url = await serveTls((_request, response) =>
      response.writeHead(302, { location: 'http://127.0.0.1:9/a' }).end(),
    );
    const failed = (options: object) => list(http({ urls: [`${url}/a`], ...options }), 'canary').catch(String);

    expect(await failed({})).toMatch('redirects to 127.0.0.1:9 without TLS');
    expect(await failed({ allowInsecureRedirects: true })).toMatch('HEAD http://127.0.0.1:9/a failed');
  });
});

describe('verification', () => {
  const sources = globSync(
    ['shared', 'cli', 'functions', 'local', 'bin', 'scripts'].map((folder) => `${folder}/**/*.{ts,mjs,cjs}`),
    { cwd: ROOT },
  );

  it('is switched off nowhere but where a database’s connection string asks for it', () => {
    const found = sources.filter((file) =>
      /rejectUnauthorized|NODE_TLS_REJECT|checkServerIdentity|insecureHTTPParser|secureProtocol/.test(
        readFileSync(join(ROOT, file), 'utf8'),
      ),
    );

    expect(sources.length).toBeGreaterThan(500);
    expect(found.sort()).toEqual([
      'shared/core/tls.ts',
      'shared/sinks/sql/mysql/session.ts',
      'shared/sinks/sql/postgres/pg-session.ts',
    ]);
    for (const file of found.filter((one) => one.includes('sinks'))) {
      const text = readFileSync(join(ROOT, file), 'utf8');
      expect(text).toContain("const verified = ssl === 'verify-ca' || ssl === 'verify-full';");
      expect(text).toContain('rejectUnauthorized: verified,');
    }
  });

  it('that the environment switches off is told of', async () => {
    const env = { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: '0' };
    const { stderr } = await promisify(execFile)(process.execPath, ['bin/landfall.mjs', '--version'], {
      cwd: ROOT,
      env,
    });

    expect(stderr).toContain('NODE_TLS_REJECT_UNAUTHORIZED');
  });
});
