import { request as httpRequest } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startConnectorServer } from '../../local/servers/connector/server.ts';
import type { HttpRequest } from '../../shared/connectors/async/http-api.ts';
import { Workplace } from '../support/terminal.ts';

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** As any client may send it: `fetch` would set Host and Origin itself. */
function send(
  url: string,
  { method = 'GET', headers = {}, body }: { method?: string; headers?: object; body?: string } = {},
) {
  return new Promise<Reply>((resolve, reject) => {
    const request = httpRequest(url, { method, headers: { ...headers } }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function aServer(options: { port?: number; host?: string } = {}) {
  const asked: HttpRequest[] = [];
  const server = await startConnectorServer({
    api: async (request) => {
      asked.push(request);
      return { status: 201, headers: { 'x-own': '1' }, body: 'answered\n' };
    },
    ...options,
  });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return { url: server.url, port: new URL(server.url).port, asked };
}

describe('the connector service on this machine', () => {
  it('hands on a request, and answers with what comes of it', async () => {
    const { url, asked } = await aServer();

    const reply = await send(`${url}/api/v1/a%2Fb?x=1&y=2`, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8', 'Idempotency-Key': 'k' },
      body: '{"ä":1}',
    });

    expect(reply).toMatchObject({ status: 201, text: 'answered\n', headers: { 'x-own': '1' } });
    expect(asked).toEqual([
      {
        method: 'POST',
        path: '/api/v1/a%2Fb',
        query: 'x=1&y=2',
        headers: expect.objectContaining({ 'idempotency-key': 'k' }),
        body: '{"ä":1}',
      },
    ]);
  });

  it.each(['0.0.0.0', '::', 'localhost', '192.168.1.7', ''])('does not listen on "%s"', async (host) => {
    await expect(
      startConnectorServer({ api: async () => ({ status: 200, headers: {}, body: '' }), host }),
    ).rejects.toThrow('listens on 127.0.0.1 or ::1 only');
  });

  it('listens on the loopback interface only', async () => {
    const { url } = await aServer();

    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  it.each([
    'evil.example',
    'evil.example:PORT',
    '127.0.0.1',
    '127.0.0.1:1',
    'localhost.evil.example:PORT',
    '127.0.0.1:PORT@evil',
  ])('refuses what was sent to the host %s', async (host) => {
    const { url, port, asked } = await aServer();

    const reply = await send(url, { headers: { host: host.replace('PORT', port) } });

    expect(reply.status).toBe(403);
    expect(JSON.parse(reply.text)).toMatchObject({ code: 7 });
    expect(asked).toEqual([]);
  });

  it.each(['127.0.0.1:PORT', 'localhost:PORT', 'LOCALHOST:PORT', '[::1]:PORT'])(
    'takes what was sent to %s',
    async (host) => {
      const { url, port } = await aServer();

      expect((await send(url, { headers: { host: host.replace('PORT', port) } })).status).toBe(201);
    },
  );

  it.each([
    ['https://evil.example', 403],
    ['null', 403],
    ['http://127.0.0.1:1', 403],
    ['http://localhost:PORT', 201],
  ])('answers a page of %s with %i', async (origin, status) => {
    const { url, port } = await aServer();

    expect((await send(url, { headers: { origin: origin.replace('PORT', port) } })).status).toBe(status);
  });

  it.each([undefined, 'text/plain', 'application/x-www-form-urlencoded', 'application/jsonp'])(
    'refuses a body of type %s',
    async (type) => {
      const { url } = await aServer();

      const headers = type === undefined ? {} : { 'content-type': type };
      expect((await send(url, { method: 'POST', headers, body: '{}' })).status).toBe(415);
    },
  );

  it('refuses a body that no function would get', async () => {
    const { url, asked } = await aServer();
    const headers = { 'content-type': 'application/json' };

    expect((await send(url, { method: 'POST', headers, body: 'x'.repeat(6 * 1024 * 1024 + 1) })).status).toBe(413);
    expect(asked).toEqual([]);
  });
});

describe('landfall serve', () => {
  async function served(work: (url: string, place: Workplace) => Promise<void>, command = 'serve --json') {
    const place = new Workplace();
    place.files('data', { a: 'a' });
    place.write('data', '../connections.json', '{"mine":{"taskType":"http.job","secrets":{"key":"landfall/mine"}}}');
    let failure: unknown;
    const out: string[] = [];
    const seen = () => /http:\/\/127\.0\.0\.1:\d+/.exec(out.join(''))?.[0];
    const result = place.landfall(command.replace('FOLDER', place.folder), {
      whenListening: (press) => {
        const look = async () => {
          const url = seen();
          if (url === undefined) return void setTimeout(look, 10);
          await work(url, place).catch((error: unknown) => {
            failure = error;
          });
          press();
        };
        void look();
      },
      onOut: (text) => void out.push(text),
    });
    const ended = await result;
    if (failure) throw failure;
    return ended;
  }

  it('tells its URL, serves the connectors, and works on the queues meanwhile', async () => {
    const { code, json } = await served(async (url, place) => {
      expect(JSON.parse((await send(`${url}/healthz`)).text)).toEqual({ status: 'ok' });
      const { connectors } = JSON.parse((await send(`${url}/api/v1/connectors`)).text);
      expect(connectors.length).toBeGreaterThan(3);
      const body = JSON.stringify({
        template: { type: 'landfall.refresh', custom: { pipeline: 'data' } },
        outputPrefix: 'x',
      });
      const headers = { 'content-type': 'application/json' };
      const created = await send(`${url}/api/v1/connector/task`, { method: 'POST', headers, body });
      const meta = Buffer.from(JSON.parse(created.text).resourceMeta, 'base64').toString('base64url');
      for (let phase = ''; phase !== 'SUCCEEDED'; ) {
        const got = await send(`${url}/api/v1/connector/task/landfall.refresh/0/${meta}`);
        ({ phase } = JSON.parse(got.text).resource);
        expect(phase).toMatch(/^(QUEUED|RUNNING|SUCCEEDED)$/);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      expect((await place.landfall('runs data --json')).json()).toMatchObject([{ run: 1, state: 'SUCCEEDED' }]);
    });

    expect(code).toBe(0);
    expect(json()).toEqual([{ url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) }, { stopped: true }]);
  });

  it('takes connections from a file', async () => {
    await served(async (url) => {
      const body = JSON.stringify({ template: { type: 'sensor.http' }, outputPrefix: 'x', connection: 'mine' });
      const headers = { 'content-type': 'application/json' };
      const answer = await send(`${url}/api/v1/connector/task`, { method: 'POST', headers, body });
      expect(JSON.parse(answer.text).message).toContain('"mine" is for tasks of type http.job');
    }, 'serve --connections FOLDER/connections.json');
  });

  it.each([
    ['serve --host 0.0.0.0', 2, 'listens on 127.0.0.1 or ::1 only'],
    ['serve --connections nowhere.json', 2, 'nowhere.json cannot be read: ENOENT'],
    ['serve --port 70000', 2, 'It must be 0 to 65535'],
  ])('%s ends with %i', async (command, code, message) => {
    const result = await new Workplace().landfall(command);

    expect(result.code).toBe(code);
    expect(result.err).toContain(message);
  });

  it('says so if its port is taken', async () => {
    const { port } = await aServer();

    const result = await new Workplace().landfall(`serve --port ${port}`);

    expect(result).toMatchObject({ code: 1 });
    expect(result.err).toContain(`port ${port} of 127.0.0.1 is taken`);
  });
});
