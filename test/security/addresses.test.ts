import type { LookupAddress } from 'node:dns';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { Credentials, DapClient } from '../../shared/clients/dap/index.ts';
import { DisClient } from '../../shared/clients/dis/index.ts';
import { MaxComputeClient } from '../../shared/clients/maxcompute/index.ts';
import { AddressRefusedError, addressGuard, type ResolveAll } from '../../shared/clients/transport/addresses.ts';
import { nodeFetch } from '../../shared/clients/transport/node-http.ts';
import { webFetch } from '../../shared/clients/transport/web-fetch.ts';

const METADATA = 'http://169.254.169.254/latest/meta-data/iam/';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function serve(answer: Answer): Promise<{ url: string; port: number; seen: IncomingMessage[] }> {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, port, seen };
}

const json = (response: ServerResponse, body: unknown) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
};

/** Names as a table; what is not in it resolves to an address of documentation. */
const names =
  (table: Readonly<Record<string, readonly string[]>>): ResolveAll =>
  (hostname, answer) => {
    const addresses = Object.hasOwn(table, hostname) ? table[hostname]! : ['192.0.2.1'];
    answer(
      null,
      addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };

const wayOut = (own: readonly string[], resolveAll: ResolveAll, refusePrivateAddresses?: boolean) =>
  webFetch({ connectTimeoutMs: 1000, own: () => own, resolveAll, refusePrivateAddresses });

describe('where the clients may connect to', () => {
  it.each([
    ['http://169.254.169.254/latest/'],
    ['http://[fd00:ec2::254]/latest/'],
    ['http://[::ffff:169.254.169.254]/'],
    ['http://2852039166/'],
    ['http://metadata.google.internal/'],
    ['http://[fe80::1]/'],
    ['file:///etc/passwd'],
    ['data:text/plain,x'],
  ])('never to %s', async (url) => {
    for (const send of [wayOut(['http://127.0.0.1'], names({})), wayOut(['http://127.0.0.1'], names({}), false)])
      await expect(send(url, {})).rejects.toBeInstanceOf(AddressRefusedError);
  });

  it('not into a private network, if what is configured is on the internet', async () => {
    const { url, port, seen } = await serve((_request, response) => response.end('inside'));
    const resolveAll = names({ 'inside.example': ['127.0.0.1'] });

    for (const target of [url, `http://inside.example:${port}/`]) {
      const refused = wayOut(['http://api.example'], resolveAll)(target, {});
      await expect(refused).rejects.toThrow('no configured URL is');
      const allowed = await wayOut(['http://api.example'], resolveAll, false)(target, {});
      expect(await allowed.text()).toBe('inside');
    }
    expect(seen).toHaveLength(2);
  });

  it('into a private network, if what is configured lies in one, by address or by name', async () => {
    const { port } = await serve((_request, response) => response.end('inside'));
    const resolveAll = names({ 'inside.example': ['127.0.0.1'], 'api.example': ['10.1.2.3'] });

    for (const own of ['http://192.168.1.1', 'http://api.example', 'http://inside.example']) {
      const reply = await wayOut([own], resolveAll)(`http://inside.example:${port}/`, {});
      expect(await reply.text()).toBe('inside');
      const refused = wayOut([own], resolveAll, true)(`http://inside.example:${port}/`, {});
      await expect(refused).rejects.toThrow('refusePrivateAddresses is set');
    }
  });

  it('only to the address that was judged: a name that changes its mind gains nothing', async () => {
    const { port, seen } = await serve((_request, response) => response.end('inside'));
    let asked = 0;
    const rebinding: ResolveAll = (hostname, answer) =>
      names({ 'rebinding.example': [++asked === 1 ? '127.0.0.1' : '169.254.169.254'] })(hostname, answer);
    const send = wayOut(['http://127.0.0.1'], rebinding);

    expect(await (await send(`http://rebinding.example:${port}/`, {})).text()).toBe('inside');
    expect(asked).toBe(1);
    expect(seen).toHaveLength(1);
    await expect(send('http://rebinding.example:9/', {})).rejects.toBeInstanceOf(AddressRefusedError);
  });

  it('not without TLS, if all that is configured has it', async () => {
    const guarded = { connectTimeoutMs: 1000, own: () => ['https://api.example'], resolveAll: names({}) };
    const init = { method: 'GET', headers: {}, signal: new AbortController().signal };

    await expect(webFetch(guarded)('http://files.example/a', {})).rejects.toThrow('without TLS');
    await expect(nodeFetch(guarded)('http://files.example/a', init)).rejects.toThrow('without TLS');
  });

  it('says when a name cannot be resolved, and does not judge by that', async () => {
    const resolveAll: ResolveAll = (hostname, answer) =>
      hostname === 'api.example'
        ? answer(Object.assign(new Error('later'), { code: 'EAI_AGAIN' }), [])
        : names({ 'inside.example': ['127.0.0.1'] })(hostname, answer);

    const refused = wayOut(['http://api.example'], resolveAll)('http://inside.example/', {});

    await expect(refused).rejects.toMatchObject({ code: 'EAI_AGAIN' });
  });

  it('refuses a name that leads both inside and outside as a whole', async () => {
    const guard = addressGuard({
      own: () => ['http://api.example'],
      resolveAll: names({ 'both.example': ['192.0.2.7', '10.0.0.1'] }),
    });

    const [error] = await new Promise<unknown[]>((resolve) => {
      guard.lookup('both.example', { all: true }, (...answer) => resolve(answer));
    });

    expect(error).toBeInstanceOf(AddressRefusedError);
  });
});

describe('redirects of a service', () => {
  it('are followed by GET, without what proves who asks once they leave its origin', async () => {
    const other = await serve((_request, response) => response.end('there'));
    const first = await serve(({ url }, response) => {
      response.writeHead(307, { location: url === '/a' ? '/b' : `${other.url}/c` }).end();
    });
    const headers = {
      authorization: 'Bearer canary',
      'x-auth-token': 'canary',
      'x-security-token': 'canary',
      'x-odd': '1',
    };

    const reply = await wayOut([first.url], names({}))(`${first.url}/a`, { headers });

    expect(await reply.text()).toBe('there');
    expect(first.seen.map((request) => request.headers.authorization)).toEqual(['Bearer canary', 'Bearer canary']);
    expect(JSON.stringify(other.seen[0]!.headers)).not.toContain('canary');
    expect(other.seen[0]!.headers['x-odd']).toBe('1');
  });

  it('are judged as the first URL was, end at the sixth, and are no way for what changes something', async () => {
    const server = await serve(({ url }, response) => {
      response.writeHead(302, { location: url === '/loop' ? '/loop' : METADATA }).end();
    });
    const send = wayOut([server.url], names({}));

    await expect(send(`${server.url}/meta`, {})).rejects.toBeInstanceOf(AddressRefusedError);
    await expect(send(`${server.url}/loop`, {})).rejects.toMatchObject({ code: 'ERR_TOO_MANY_REDIRECTS' });
    await expect(send(`${server.url}/loop`, { redirect: 'error' })).rejects.toMatchObject({ code: 'ERR_REDIRECTED' });
    expect((await send(`${server.url}/loop`, { method: 'POST', body: 'x' })).status).toBe(302);
  });
});

describe('a reply', () => {
  it('is unpacked by its Content-Encoding, and cut as it is cut', async () => {
    const packed = gzipSync('x'.repeat(100_000));
    const server = await serve(({ url }, response) => {
      response.writeHead(200, {
        'content-encoding': 'gzip',
        ...(url === '/cut' ? { 'content-length': packed.length } : {}),
      });
      if (url === '/cut') response.write(packed.subarray(0, 50), () => response.destroy());
      else response.end(packed);
    });
    const send = wayOut([server.url], names({}));

    expect(await (await send(`${server.url}/whole`, {})).text()).toBe('x'.repeat(100_000));
    await expect(send(`${server.url}/cut`, {}).then((reply) => reply.text())).rejects.toThrow();
  });

  it.each([204, 205, 304])('of status %i has no body', async (status) => {
    const server = await serve((_request, response) => response.writeHead(status).end());

    expect((await wayOut([server.url], names({}))(server.url, {})).status).toBe(status);
  });
});

describe('what a service names', () => {
  const claims = Buffer.from(JSON.stringify({ exp: 4_000_000_000 })).toString('base64url');

  it.each([METADATA, 'http://[fd00:ec2::254]/x?X-Amz-Signature=canary'])(
    'as the URL of a file of DAP is not read from %s',
    async (url) => {
      const { url: baseUrl } = await serve((request, response) => {
        if (request.url === '/ids/auth/login')
          return json(response, {
            access_token: `e30.${claims}.c2ln`,
            expires_in: 3600,
            scope: '',
            token_type: 'Bearer',
          });
        json(response, { urls: { 'job/part-0': { url } } });
      });
      const client = new DapClient({ baseUrl, credentials: Credentials.create('region#id', 'secret-canary') });
      await using session = client.open();

      const read = async () => {
        for await (const _chunk of session.streamObject({ id: 'job/part-0' })) expect.unreachable();
      };

      await expect(read()).rejects.toMatchObject({
        name: 'AddressRefusedError',
        message: expect.not.stringContaining('canary'),
      });
    },
  );

  it('as the endpoint of DIS in a token’s catalog gets no token', async () => {
    const catalog = [{ type: 'disv2', endpoints: [{ interface: 'public', url: 'http://169.254.169.254/v2/p' }] }];
    const { url: iamUrl } = await serve((_request, response) => {
      response.setHeader('x-subject-token', 'canary');
      json(response, { token: { catalog, project: { id: 'p' } } });
    });
    const credentials = { iamUrl, user: 'u', password: 'password-canary', domain: 'd', projectId: 'p' };
    const client = new DisClient({ credentials });

    await expect(client.getStream('s')).rejects.toMatchObject({ name: 'AddressRefusedError' });
  });

  it.each(['169.254.169.254', '[fd00:ec2::254]', 'metadata.google.internal'])(
    'as the tunnel of MaxCompute at %s gets no signature',
    async (host) => {
      const { url: endpoint } = await serve((_request, response) => response.end(host));
      const credentials = { accessId: 'id', accessKey: 'canary-key' };
      const client = new MaxComputeClient({ endpoint, project: `p${host.length}`, credentials });

      await expect(client.table('t').createReadSession()).rejects.toMatchObject({ name: 'AddressRefusedError' });
    },
  );
});
