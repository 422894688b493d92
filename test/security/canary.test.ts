import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Credentials, DapClient } from '../../shared/clients/dap/index.ts';
import { DisClient, type DisClientOptions } from '../../shared/clients/dis/index.ts';
import { MaxComputeClient, type MaxComputeClientOptions } from '../../shared/clients/maxcompute/index.ts';
import { sendTo } from '../../shared/connectors/async/built-in/http/api.ts';
import type { BytesConnector, Source } from '../../shared/connectors/connector.ts';
import { googleSheets } from '../../shared/connectors/google-sheets/google-sheets.ts';
import { http } from '../../shared/connectors/http/http.ts';
import { s3 } from '../../shared/connectors/s3/s3.ts';
import { systemClock } from '../../shared/core/clock.ts';
import { errorFacts } from '../../shared/core/errors.ts';
import { jsonLogger, type Logger } from '../../shared/core/logger.ts';
import { Redactor } from '../../shared/core/redaction.ts';
import { leaksIn, secretsIn, spellingsOf } from '../support/canary.ts';
import { aRun, collect } from '../support/connector-run.ts';
import { PRIVATE_KEY } from '../support/fake-google.ts';
import { Workplace } from '../support/terminal.ts';
import { World } from '../support/world.ts';

const SECRET = 'canary-0f3b7e/+secret?&';

describe('the canary', () => {
  it.each([...spellingsOf(SECRET)])('sees %s (%s)', (spelling) => {
    expect(leaksIn(`before ${spelling} behind`, [SECRET])).toHaveLength(1);
  });

  it.each(['', 'u', 'us', 'use'])('sees a secret behind %j in base64', (before) => {
    const text = Buffer.from(`${before}${SECRET}:more`).toString('base64');

    expect(leaksIn(text, [SECRET])).toHaveLength(1);
    expect(leaksIn(Buffer.from('nothing of it, but long enough').toString('base64'), [SECRET])).toEqual([]);
  });

  it.each([
    ['https://b/k?X-Amz-Expires=900&X-Amz-Signature=0f3b7e0f3b7e', 1],
    ['https://b/k?X-Amz-Expires=900&X-Amz-Signature=[redacted]', 0],
    ['authorization: Bearer abcdefghijklmnopqrst', 1],
    ['authorization: Bearer [redacted]', 0],
    ['eyJhbGciOiJub25lIn0.eyJleHAiOjQwMDAwMDB9.c2lnbmF0dXJl', 1],
    ['-----BEGIN PRIVATE KEY-----', 1],
  ])('knows %s by its look', (text, count) => {
    expect(leaksIn(text, [])).toHaveLength(count);
  });

  it('tells the secrets of a credential from what is none', () => {
    const of = (credential: object) => secretsIn(JSON.stringify(credential));

    expect(of({ accessKey: 'AK-of-dis', secretKey: 'SK-of-dis', projectId: '0123456789' })).toEqual(['SK-of-dis']);
    expect(of({ accessId: 'id-of-odps', accessKey: 'key-of-odps' })).toEqual(['key-of-odps']);
    expect(of({ nested: [{ password: 'password' }] })).toEqual(['password']);
    expect(secretsIn('a token')).toEqual(['a token']);
  });

  it('looks into the items, messages, objects, logs and calls of every world of the suite', async () => {
    const leaking: readonly ((world: World) => unknown)[] = [
      (world) => world.tables.nodes.put({ pk: 'a', sk: 'b', text: SECRET }),
      (world) => world.queues.send('list-objects', [{ body: JSON.stringify({ text: SECRET }) }]),
      (world) => world.objects.put('p/manifest/x', Buffer.from(SECRET)),
      (world) => world.deps().log.info(btoa(`u:${SECRET}`)),
    ];
    for (const leak of [undefined, ...leaking]) {
      const world = new World({ credential: SECRET });
      world.source.leaf('a', 'v1');
      await world.refresh();

      await leak?.(world);

      world.close();
      expect(world.leaked).toHaveLength(leak ? 1 : 0);
    }
  });
});

/** All headers and the whole body of each request are in the answer, in its head and in its body: as rude a service as there may be. */
async function echo(status: number): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { headers, url } = request;
      const said = `${url} ${flat(headers)} ${Buffer.concat(chunks)}`;
      const asHeader = said.replaceAll(/[^\x20-\x7e]/g, ' ').slice(0, 4000);
      const kind = { 'content-type': 'application/json', 'x-request-id': asHeader, 'x-amzn-requestid': asHeader };
      response.writeHead(status, asHeader, { ...kind, 'x-odps-request-id': asHeader, 'retry-after': '0' });
      response.end(
        JSON.stringify({
          error: { type: said, code: said, message: said },
          Code: said,
          Message: said,
          error_msg: said,
        }),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const flat = (headers: IncomingHttpHeaders) => Object.entries(headers).flat().join(' ');

type Call = (url: string, logger: Logger, redactor: Redactor) => Promise<unknown>;

const list =
  (make: (url: string) => Source, credential: string): Call =>
  async (url, log, redactor) => {
    redactor.add(credential);
    const typed = make(url).connector as BytesConnector;
    const context = await typed.context(credential, aRun({ log }).run);
    onTestFinished(() => void typed.close?.(context));
    return collect(typed.listObjects(context, null, aRun({ log }).run));
  };

const job =
  (type: 'bearer' | 'basic' | 'header'): Call =>
  (url) =>
    sendTo(
      { method: 'GET', url: new URL(url), headers: {}, auth: { type, secret: 'key', user: 'user', header: 'x-key' } },
      {
        clock: systemClock,
        signal: new AbortController().signal,
        connection: { configs: { baseUrl: url, user: 'me' }, secrets: { key: SECRET } },
      } as unknown as Parameters<typeof sendTo>[1],
      { sleep: async () => {} },
    ).then(({ status }) => {
      // Its answer is for the template to read; what is shown of it is masked where it is shown.
      throw new Error(`answered ${status}`);
    });

const disWith =
  (credentials: DisClientOptions['credentials']): Call =>
  (endpoint, logger) =>
    new DisClient({ endpoint, projectId: 'p', region: 'eu-de', credentials, logger, sleep: async () => {} }).getStream(
      's',
    );

const maxComputeWith =
  (credentials: MaxComputeClientOptions['credentials']): Call =>
  (tunnelEndpoint, logger) =>
    new MaxComputeClient({ tunnelEndpoint, project: 'p', credentials, logger, sleep: async () => {} })
      .table('t')
      .createReadSession();

const TOKEN = 'canary-token-0f3b7e0f3b7e';
const account = (url: string) =>
  JSON.stringify({ private_key: PRIVATE_KEY, client_email: 'a@b', token_uri: `${url}/token` });

const CALLS: Readonly<Record<string, Call>> = {
  'http with a token': list((url) => http({ urls: [`${url}/a`] }), TOKEN),
  'http with a password': list(
    (url) => http({ directory: { url: `${url}/a/` } }),
    JSON.stringify({ username: 'me', password: SECRET }),
  ),
  'http with a header': list(
    (url) => http({ index: { url, pointer: '' } }),
    JSON.stringify({ headers: { 'x-key': SECRET } }),
  ),
  'a job with a token': job('bearer'),
  'a job with a password': job('basic'),
  'a job with a header': job('header'),
  googleSheets: (url, log, redactor) =>
    list(
      () => googleSheets({ spreadsheetId: 'i', range: 'A:A', sheetsUrl: url, driveUrl: url, tokenUrl: `${url}/token` }),
      account(url),
    )(url, log, redactor),
  s3: list(
    (url) => s3({ bucket: 'b', endpoint: url, region: 'eu-central-1' }),
    JSON.stringify({ accessKeyId: 'id', secretAccessKey: SECRET, sessionToken: TOKEN }),
  ),
  async dap(baseUrl, logger) {
    const credentials = Credentials.create('region#id', SECRET);
    await using session = new DapClient({ baseUrl, credentials, logger, sleep: async () => {} }).open();
    return await session.getTables('canvas');
  },
  'dis with keys': disWith({ accessKey: 'id', secretKey: 'canary-secret-key', securityToken: TOKEN }),
  'dis with a token': disWith({ token: TOKEN }),
  'dis with a password': (url, logger, redactor) =>
    disWith({ iamUrl: url, user: 'u', password: SECRET, domain: 'd', projectId: 'p' })(url, logger, redactor),
  'maxcompute with keys': maxComputeWith({ accessId: 'id', accessKey: 'canary-key' }),
  'maxcompute with temporary keys': maxComputeWith({ accessId: 'id', accessKey: 'canary-key', securityToken: TOKEN }),
  'maxcompute with a token': maxComputeWith({ bearerToken: TOKEN }),
};

describe('a service that repeats what it was sent', () => {
  it.each(Object.keys(CALLS).flatMap((name) => [200, 401, 403, 500].map((status) => [name, status] as const)))(
    'shows nothing of it through %s, at %i',
    { timeout: 30_000 },
    async (name, status) => {
      const lines: string[] = [];
      const redactor = new Redactor();
      const logger = jsonLogger({
        clock: systemClock,
        redactor,
        level: 'debug',
        write: (line) => void lines.push(line),
      });

      const error = await CALLS[name]!(await echo(status), logger, redactor).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );

      // What is taken for success shows nothing either.
      if (status !== 200) expect(error).toBeInstanceOf(Error);
      // As it is logged and stored, where the platform masks what it was told of; and as whoever catches it might print it.
      logger.error('failed', { error });
      const shown = [
        JSON.stringify(errorFacts(error, redactor.redact)),
        redactor.redact(inspect(error, { depth: 6 })),
        ...lines,
      ].join('\n');
      expect(leaksIn(shown, [SECRET, TOKEN, 'canary-key', 'canary-secret-key'])).toEqual([]);
    },
  );
});

describe('the commands', () => {
  it('are held to it too: one that printed a secret would fail its test', async () => {
    const place = new Workplace();
    place.files('data', { 'a.csv': SECRET });
    const env = { LANDFALL_SECRET_X: SECRET };

    expect((await place.landfall('run data', { env })).code).toBe(0);
    await expect(place.landfall(['preview', 'data', 'a.csv'], { env })).rejects.toMatchObject({
      actual: [expect.stringContaining('a secret as it is')],
    });
  });
});
