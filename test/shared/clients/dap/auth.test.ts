import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { AccessToken, Credentials, DapClient } from '../../../../shared/clients/dap/index.ts';
import { failure, socketError } from '../../../support/client-calls.ts';
import { CLIENT_ID, envelope, json, jwt, SECRET, tokenReply, World } from './harness.ts';

const tables = json({ tables: ['users'] });

describe('Credentials', () => {
  it('encode id and secret, and tell the region', () => {
    const credentials = Credentials.create(CLIENT_ID, SECRET);

    expect(credentials.basicCredentials).toBe(Buffer.from(`${CLIENT_ID}:${SECRET}`).toString('base64'));
    expect(credentials.clientId).toBe(CLIENT_ID);
    expect(credentials.clientRegion).toBe('us-east-1');
  });

  it('have no region where the id has another form', () => {
    expect(Credentials.create('partner-17', SECRET).clientRegion).toBe('');
  });

  it('do not show the secret when printed or serialised', () => {
    const credentials = Credentials.create(CLIENT_ID, SECRET);

    const shown = inspect(credentials, { depth: 5 }) + JSON.stringify(credentials) + String(credentials);
    expect(shown).not.toContain(SECRET);
    expect(shown).not.toContain(credentials.basicCredentials);
  });

  it.each([
    ['empty', '', SECRET, 'DAP_CLIENT_ID'],
    ['with a colon', 'us-east-1:abc', SECRET, 'colon'],
    ['with white space', 'us-east-1 #abc', SECRET, 'white space'],
    ['with a control character', 'us-east-1#a\u0007', SECRET, 'control'],
    ['without a secret', CLIENT_ID, '', 'DAP_CLIENT_SECRET'],
  ])('are refused: client id %s', (_what, id, secret, named) => {
    expect(() => Credentials.create(id, secret)).toThrow(
      expect.objectContaining({ name: 'InvalidCredentialsError', message: expect.stringContaining(named) }),
    );
  });

  it('come from the environment that is given, and from none else', () => {
    const env = { DAP_CLIENT_ID: CLIENT_ID, DAP_CLIENT_SECRET: SECRET, DAP_API_URL: 'https://dap.example/' };

    expect(() => new DapClient({ env })).not.toThrow();
    expect(() => new DapClient({ env: { ...env, DAP_CLIENT_ID: '' } })).toThrow('DAP_CLIENT_ID');
    expect(() => new DapClient({ env: { DAP_CLIENT_ID: CLIENT_ID } })).toThrow('DAP_CLIENT_SECRET');
    expect(() => new DapClient()).toThrow('DAP_CLIENT_ID');
  });
});

describe('AccessToken', () => {
  const at = (time: string) => () => new Date(time);

  it.each([
    ['10:05:01', false],
    ['10:05:00', false],
    ['10:04:59', true],
  ])('isExpiring() at 10:00:00 if it expires at %s: %s', (time, isExpiring) => {
    const token = new AccessToken(jwt(`2026-01-06T${time}Z`), at('2026-01-06T10:00:00Z'));

    expect(token.isExpiring()).toBe(isExpiring);
  });

  it('shows itself only when asked to', () => {
    const token = new AccessToken(jwt('2026-01-06T10:00:00Z'));

    expect(`${token} ${JSON.stringify(token)} ${inspect(token)}`).not.toContain(token.reveal());
    expect(token.reveal()).toBe(jwt('2026-01-06T10:00:00Z'));
  });

  it.each([
    ['two parts', 'a.b'],
    ['claims that are not JSON', 'a.b.c'],
    ['no exp', `a.${Buffer.from('{"sub":"x"}').toString('base64url')}.c`],
    ['an exp that is text', `a.${Buffer.from('{"exp":"1"}').toString('base64url')}.c`],
    ['a line end', `a.${Buffer.from('{"exp":1}').toString('base64url')}.c\n`],
  ])('is refused: %s', (_what, text) => {
    expect(() => new AccessToken(text)).toThrow(expect.objectContaining({ name: 'UnparsableReplyError' }));
    expect(() => new AccessToken(text)).not.toThrow(text);
  });
});

describe('a session and its token', () => {
  it('asks once for concurrent callers, and sends it to each', async () => {
    const world = new World(({ path }) => (path.startsWith('/ids') ? undefined : tables));

    await Promise.all(Array.from({ length: 4 }, (_, index) => world.session.getTables(`n${index}`)));

    expect(world.tokenRequests).toBe(1);
    expect(
      world.sent
        .slice(1)
        .every(({ headers }) => headers.get('authorization') === `Bearer ${jwt('2100-01-01T00:00:00Z')}`),
    ).toBe(true);
  });

  it('renews when less than five minutes are left, once for concurrent callers', async () => {
    let issued = 0;
    const world = new World(({ path }) =>
      path.startsWith('/ids') ? tokenReply(jwt(`2026-01-06T${11 + issued++}:00:00Z`)) : tables,
    );

    await world.session.authenticate();
    await world.session.authenticate();
    expect(world.tokenRequests).toBe(1);
    world.clock.advance(56 * 60_000);
    await Promise.all([world.session.getTables('a'), world.session.authenticate(), world.session.authenticate()]);

    expect(world.tokenRequests).toBe(2);
  });

  it('renews once after 401 and repeats the call once', async () => {
    let issued = 0;
    const first = jwt('2100-01-01T00:00:00Z', 'first');
    const world = new World(({ path, headers }) => {
      if (path.startsWith('/ids')) return tokenReply(issued++ === 0 ? first : jwt('2100-01-01T00:00:00Z', 'second'));
      return headers.get('authorization') === `Bearer ${first}` ? json(envelope('AuthenticationError'), 401) : tables;
    });

    const results = await Promise.all([world.session.getTables('a'), world.session.getTables('b')]);

    expect(results).toEqual([['users'], ['users']]);
    expect(world.tokenRequests).toBe(2);
  });

  it('ends in AuthenticationError at the second 401', async () => {
    const world = new World(({ path }) => (path.startsWith('/ids') ? undefined : json({ message: 'no' }, 401)));

    const error = await failure(world.session.getTables('a'));

    expect(error).toMatchObject({ name: 'AuthenticationError', facts: { status: 401, body: { message: 'no' } } });
    expect(world.paths).toHaveLength(2);
    expect(world.tokenRequests).toBe(2);
  });

  it('asks a provider for credentials at each renewal', async () => {
    let asked = 0;
    const world = new World(
      ({ path }) => (path.startsWith('/ids') ? tokenReply(jwt('2026-01-06T11:00:00Z')) : tables),
      {
        credentials: async () => {
          asked++;
          return Credentials.create(CLIENT_ID, SECRET);
        },
      },
    );

    await world.session.authenticate();
    await world.session.getTables('a');
    expect(asked).toBe(1);
    world.clock.advance(3_600_000);
    await world.session.authenticate();

    expect(asked).toBe(2);
  });

  it('a caller that gives up does not take the token from the others', async () => {
    const gate = Promise.withResolvers<void>();
    const world = new World(async ({ path }) => {
      if (!path.startsWith('/ids')) return tables;
      await gate.promise;
      return undefined;
    });
    const stop = new AbortController();

    const impatient = world.session.authenticate({ signal: stop.signal });
    const patient = world.session.getTables('a');
    stop.abort(new Error('gave up'));
    expect((await failure(impatient)).message).toBe('gave up');
    gate.resolve();

    expect(await patient).toEqual(['users']);
    expect(world.tokenRequests).toBe(1);
  });

  it('repeats a token request after a broken connection', async () => {
    let calls = 0;
    const world = new World(({ path }) => {
      if (!path.startsWith('/ids')) return tables;
      return calls++ === 0 ? socketError('ECONNRESET') : undefined;
    });

    expect(await world.session.getTables('a')).toEqual(['users']);
  });

  it('no error shows the secret or the token, even if the server sends them back', async () => {
    const token = jwt('2100-01-01T00:00:00Z');
    const basic = Credentials.create(CLIENT_ID, SECRET).basicCredentials;
    const world = new World(({ path }) =>
      path.startsWith('/ids') ? undefined : json(envelope('Validation', `${token} ${basic} ${SECRET}`), 400),
    );

    const error = await failure(world.session.getTables('a'));

    const shown = inspect(error, { depth: 10 });
    for (const secret of [token, basic, SECRET]) expect(shown).not.toContain(secret);
  });
});
