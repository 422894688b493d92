import type { LookupAddress } from 'node:dns';
import { describe, expect, it } from 'vitest';
import type { ResolveAll } from '../../../../shared/clients/transport/addresses.ts';
import { current, failure, open, useHttpServer } from './harness.ts';

const resolveTo =
  (...addresses: string[]): ResolveAll =>
  (_hostname, answer) =>
    answer(
      null,
      addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })),
    );

describe('http, addresses that are off limits', () => {
  useHttpServer();

  it.each([
    ['the metadata service', 'http://169.254.169.254/latest/meta-data/'],
    ['as a decimal number', 'http://2852039166/'],
    ['as a hexadecimal number', 'http://0xa9fea9fe/'],
    ['in octal', 'http://0251.0376.0251.0376/'],
    ['in two parts', 'http://169.16689662/'],
    ['with a dot at its end', 'http://169.254.169.254./'],
    ['in full-width digits', 'http://１６９.254.169.254/'],
    ['mapped into IPv6', 'http://[::ffff:169.254.169.254]/'],
    ['mapped into IPv6, in hexadecimal', 'http://[::ffff:a9fe:a9fe]/'],
    ['compatible with IPv6', 'http://[::a9fe:a9fe]/'],
    ['translated into IPv6', 'http://[64:ff9b::169.254.169.254]/'],
    ['tunnelled through IPv6', 'http://[2002:a9fe:a9fe::1]/'],
    ['any link-local address', 'http://169.254.1.2:8080/'],
    ['the credentials of a container', 'http://169.254.170.2/v2/credentials'],
    ['link-local IPv6', 'http://[fe80::1]/'],
    ['the metadata service by IPv6', 'http://[fd00:ec2::254]/'],
    ['that of Alibaba Cloud', 'http://100.100.100.200/'],
    ['that of Oracle Cloud', 'http://192.0.0.192/'],
    ['that of Azure', 'http://168.63.129.16/'],
    ['that of Google Cloud, by name', 'http://metadata.google.internal/computeMetadata/v1/'],
    ['that of Google Cloud, by name, with capitals and a dot', 'http://Metadata.Google.Internal./'],
  ])('refuses %s', async (_what, url) => {
    const source = await open({ urls: [url] });

    expect(await failure(source.list())).toMatchObject({ name: 'AddressRefusedError', retryable: false });
  });

  it('refuses a redirect there, and asks nothing of it', async () => {
    current.server.redirect('/a', 'http://169.254.169.254/latest/meta-data/iam/');
    const source = await open({ urls: [`${current.server.url}/a`] });

    expect((await failure(source.list())).name).toBe('AddressRefusedError');
  });

  it.each([['169.254.169.254'], ['fe80::1%eth0'], ['::ffff:169.254.169.254'], ['fd00:ec2::254']])(
    'refuses a name that resolves to %s',
    async (address) => {
      const source = await open({ urls: ['http://innocent.example/'] }, '', { resolveAll: resolveTo(address) });

      const error = await failure(source.list());

      expect(error.name).toBe('AddressRefusedError');
      expect(error.message).toContain('innocent.example');
    },
  );

  it('refuses a name of which one address among others is off limits', async () => {
    const resolveAll = resolveTo('127.0.0.1', '169.254.169.254');
    const source = await open({ urls: [`http://innocent.example:${current.server.port}/a`] }, '', { resolveAll });

    expect((await failure(source.list())).name).toBe('AddressRefusedError');
    expect(current.server.requests).toEqual([]);
  });

  it('connects to the address it judged: a name is resolved once for each connection', async () => {
    current.server.put('/a', { body: 'abc', etag: '"v1"' });
    let asked = 0;
    const resolveAll: ResolveAll = (hostname, answer) =>
      resolveTo(++asked === 1 ? '127.0.0.1' : '169.254.169.254')(hostname, answer);
    const source = await open({ urls: [`http://rebinding.example:${current.server.port}/a`] }, '', { resolveAll });

    expect(await source.list()).toHaveLength(1);
    expect(asked).toBe(1);
  });

  it('allows loopback and private addresses, for servers in one’s own network', async () => {
    current.server.put('/a', { body: 'abc', etag: '"v1"' });
    const source = await open({ urls: [`${current.server.url}/a`] });

    expect(await source.list()).toHaveLength(1);
  });

  it('refuses an address inside that an index on the internet led to, unless the pipeline says so', async () => {
    current.server.put('/a', { body: 'abc', etag: '"v1"' });
    const index = { url: 'http://public.example/index.json', pointer: '' };
    const resolveAll: ResolveAll = (hostname, answer) =>
      resolveTo(hostname === 'public.example' ? '192.0.2.1' : '127.0.0.1')(hostname, answer);
    const leaf = { fingerprint: '"v1"', isPrefix: false };
    for (const origin of [current.server.url, `http://inside.example:${current.server.port}`]) {
      const metadata = { ...leaf, name: 'a', url: `${origin}/a` };

      const closed = await open({ index }, '', { resolveAll });
      const allowing = await open({ index, refusePrivateAddresses: false }, '', { resolveAll });

      expect((await failure(closed.read(metadata))).message).toContain('which no configured URL is');
      expect(String(await allowing.read(metadata))).toBe('abc');
    }
  });

  it.each([
    'http://127.0.0.1/',
    'http://localhost/',
    'http://0.0.0.0/',
    'http://10.1.2.3/',
    'http://172.16.0.1/',
    'http://192.168.1.1/',
    'http://100.64.0.1/',
    'http://[::1]/',
    'http://[::]/',
    'http://[fc00::1]/',
    'http://[::ffff:10.0.0.1]/',
    'http://255.255.255.255/',
  ])('refuses %s with refusePrivateAddresses', async (url) => {
    const source = await open({ urls: [url], refusePrivateAddresses: true });

    expect((await failure(source.list())).name).toBe('AddressRefusedError');
  });
});

describe('http, redirects', () => {
  useHttpServer();

  it('follows a few, relative ones too', async () => {
    for (let n = 0; n < 5; n++) current.server.redirect(`/${n}`, `./${n + 1}`);
    current.server.put('/5', { body: 'abc', etag: '"v1"' });
    const source = await open({ urls: [`${current.server.url}/0`] });

    const [leaf] = await source.list();

    expect(String(await source.read(leaf!))).toBe('abc');
  });

  it.each([
    ['more than five', {}, 6],
    ['more than are allowed', { maxRedirects: 1 }, 2],
  ])('ends at %s', async (_what, options, requests) => {
    current.server.redirect('/loop', '/loop');
    const source = await open({ urls: [`${current.server.url}/loop`], ...options });

    expect(await failure(source.list())).toMatchObject({ name: 'SourceRefusedError', retryable: false });
    expect(current.server.requests).toHaveLength(requests);
  });

  it.each(['file:///etc/passwd', 'ftp://example.org/a', 'data:text/plain,x', 'gopher://h/'])(
    'refuses one to %s',
    async (location) => {
      current.server.redirect('/a', location);
      const source = await open({ urls: [`${current.server.url}/a`] });

      const error = await failure(source.list());

      expect(error.name).toBe('SourceRefusedError');
      expect(error.message).toContain('only http and https');
    },
  );

  it('refuses another scheme in an index', async () => {
    current.server.put('/i', { body: JSON.stringify(['file:///etc/passwd']) });
    const source = await open({ index: { url: `${current.server.url}/i`, pointer: '' } });

    expect((await failure(source.list())).message).toContain('only http and https are followed, got file://');
  });
});

describe('http, credentials', () => {
  useHttpServer();
  const sent = (path: string) =>
    current.server.seen(path).map(({ headers }) => headers.authorization ?? headers['x-key']);

  it.each([
    ['a token', 'canary-token', 'Bearer canary-token'],
    ['JSON with a token', '{"bearer":"canary-token"}', 'Bearer canary-token'],
    ['JSON with a user', '{"username":"u","password":"canary"}', `Basic ${btoa('u:canary')}`],
    ['JSON with headers', '{"headers":{"X-Key":"canary-key"}}', 'canary-key'],
  ])('go out as the credential says: %s', async (_what, credential, expected) => {
    current.server.put('/a', { body: 'abc', etag: '"v1"' });
    const source = await open({ urls: [`${current.server.url}/a`] }, credential);

    await source.list();

    expect(sent('/a')).toEqual([expected]);
  });

  it('stay with the origins that the pipeline names: a redirect elsewhere gets none', async () => {
    const { url, port } = current.server;
    current.server.redirect('/a', `http://localhost:${port}/b`);
    current.server.redirect('/b', `${url}/c`);
    current.server.put('/c', { body: 'abc', etag: '"v1"' });
    const source = await open({ urls: [`${url}/a`], headers: { 'X-Key': 'canary' } }, '{"headers":{}}');

    await source.list();

    expect([...sent('/a'), ...sent('/b'), ...sent('/c')]).toEqual(['canary', undefined, undefined]);
  });

  it('do not go to hosts that an index names, unless the pipeline says so', async () => {
    const other = `http://localhost:${current.server.port}`;
    current.server.put('/i', { body: JSON.stringify([`${other}/a`]) });
    current.server.put('/a', { body: 'abc', etag: '"v1"' });
    const index = { url: `${current.server.url}/i`, pointer: '' };

    await (await open({ index }, 'canary')).list();
    await (await open({ index, credentialOrigins: [other] }, 'canary')).list();

    expect(sent('/i')).toEqual(['Bearer canary', 'Bearer canary']);
    expect(sent('/a')).toEqual([undefined, 'Bearer canary']);
  });

  it.each([
    '{"user":"canary-user"}',
    '{"bearer": canary-broken',
    '{"headers":{"a b":"canary"}}',
    '{"headers":{"a":"canary\\n"}}',
  ])('are refused without being shown: %s', async (credential) => {
    const error = await failure(open({ urls: ['http://h/'] }, credential));

    expect(error.name).toBe('InvalidInputError');
    expect(error.message).not.toContain('canary');
  });

  it('are in no error, whatever a server answers', async () => {
    current.server.fail('/a', { status: 401 });
    current.server.put('/a', { body: 'abc', headStatus: 405 });
    const source = await open({ urls: [`${current.server.url}/a`] }, 'canary-token');

    const error = await failure(source.list());

    expect(error.message).toContain('401');
    expect(JSON.stringify(error) + error.message + error.stack).not.toContain('canary');
  });
});
