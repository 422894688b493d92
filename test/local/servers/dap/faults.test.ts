import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type FaultRule, Faults, parseFaults } from '../../../../local/servers/dap/faults.ts';
import type { JsonObject } from '../../../../shared/core/json.ts';
import { type DapApi, FIRST_COMMIT, startDapApi } from '../../../support/dap-api.ts';

const LIST = '/dap/query/canvas/table';
const jsonl = { format: 'jsonl' };

async function withFault(rule: FaultRule, act: (api: DapApi) => Promise<void>): Promise<void> {
  await using api = await startDapApi({ faults: [rule] });
  await act(api);
}

const idsOf = (job: JsonObject): string[] => (job.objects as { id: string }[]).map(({ id }) => id);

describe('rules', () => {
  const hits = (rule: Partial<FaultRule>, count: number, random = () => 0) => {
    const faults = new Faults([{ route: 'job', fault: 'unauthorized', ...rule }], random);
    return Array.from({ length: count }, () => faults.strike({ route: 'job' }).length);
  };

  it('strike the first request that matches, or the nth, and as many as they say', () => {
    expect(hits({}, 3)).toEqual([1, 0, 0]);
    expect(hits({ nth: 2, times: 2 }, 5)).toEqual([0, 1, 1, 0, 0]);
  });

  it('strike a share of them', () => {
    const dice = [0.1, 0.6, 0.4];
    expect(hits({ times: 3, probability: 0.5 }, 3, () => dice.shift()!)).toEqual([1, 0, 1]);
  });

  it('look at route, namespace, table and kind', () => {
    const faults = new Faults(
      [{ route: 'query', fault: 'failed-job', namespace: 'canvas', table: 'users', kind: 'incremental', times: 9 }],
      () => 0,
    );
    const target = { route: 'query', namespace: 'canvas', table: 'users', kind: 'incremental' } as const;

    expect(faults.strike(target)).toHaveLength(1);
    expect(faults.strike({ ...target, route: 'schema' })).toHaveLength(0);
    expect(faults.strike({ ...target, namespace: 'catalog' })).toHaveLength(0);
    expect(faults.strike({ ...target, table: 'courses' })).toHaveLength(0);
    expect(faults.strike({ ...target, kind: 'snapshot' })).toHaveLength(0);
  });
});

describe('parseFaults', () => {
  it('reads a list, alone or in an object', () => {
    const rules = [{ route: 'job', fault: 'rate-limited', nth: 2, retryAfter: 3 }];

    expect(parseFaults(rules)).toEqual(rules);
    expect(parseFaults({ faults: rules })).toEqual(rules);
  });

  it('names everything that is wrong', () => {
    const wrong = [
      { route: 'job', fault: 'truncated-gzip' },
      { route: 'job', fault: 'nonsense' },
      { route: 'query', fault: 'failed-job', nth: 0, secondsLeft: 3, kind: 'both' },
      'rule',
    ];

    expect(() => parseFaults(wrong)).toThrow(
      /faults\[0\]: route must be download .*faults\[1\]: unknown fault "nonsense".*faults\[2\]: nth must be 1 to .*faults\[2\]: failed-job takes no secondsLeft.*faults\[2\]: kind must be .*faults\[3\]: must be an object/,
    );
    expect(() => parseFaults({})).toThrow('faults must be an array');
  });
});

describe('answers in place of the route', () => {
  it.each<[Omit<FaultRule, 'route'>, number, JsonObject]>([
    [{ fault: 'internal-error' }, 500, { type: 'ProcessingError', message: '' }],
    [{ fault: 'unauthorized' }, 401, { type: 'AuthenticationError' }],
    [{ fault: 'account-disabled' }, 403, { type: 'AccountDisabled' }],
    [{ fault: 'account-disabled', status: 500 }, 500, { type: 'AccountDisabled' }],
    [{ fault: 'account-not-onboarded' }, 403, { type: 'AccountNotOnboarded' }],
    [{ fault: 'account-under-maintenance' }, 403, { type: 'AccountUnderMaintenance' }],
    [{ fault: 'request-type-forbidden' }, 403, { type: 'RequestTypeForbidden' }],
    [{ fault: 'rate-limited' }, 429, { type: 'TooManyRequests' }],
    [{ fault: 'gateway-timeout' }, 504, { message: 'Endpoint request timed out' }],
  ])('%j', async (fault, status, error) => {
    await withFault({ route: 'tables', ...fault }, async (api) => {
      const answer = await api.get(LIST);

      expect(answer.status).toBe(status);
      expect(answer.json.error).toMatchObject(error);
      expect((await api.get(LIST)).status).toBe(200);
    });
  });

  it('429 with and without Retry-After', async () => {
    await withFault({ route: 'tables', fault: 'rate-limited', retryAfter: 17 }, async (api) => {
      expect((await api.get(LIST)).headers.get('retry-after')).toBe('17');
    });
    await withFault({ route: 'tables', fault: 'rate-limited' }, async (api) => {
      expect((await api.get(LIST)).headers.has('retry-after')).toBe(false);
    });
  });

  it('504 with nothing but a message', async () => {
    await withFault({ route: 'tables', fault: 'gateway-timeout' }, async (api) => {
      expect((await api.get(LIST)).json).toEqual({ error: { message: 'Endpoint request timed out' } });
    });
  });

  it('a page of the gateway', async () => {
    await withFault({ route: 'tables', fault: 'gateway-page', status: 503 }, async (api) => {
      const { status, headers, text } = await api.get(LIST);

      expect([status, headers.get('content-type')]).toEqual([503, 'text/html']);
      expect(text).toContain('<html>');
    });
  });

  it('whatever it is told', async () => {
    await withFault(
      { route: 'login', fault: 'reply', status: 418, headers: { 'x-a': 'b' }, body: { tea: true } },
      async (api) => {
        const { status, headers, json } = await api.login();

        expect([status, headers.get('x-a'), json]).toEqual([418, 'b', { tea: true }]);
      },
    );
  });

  it.each(['snapshot-required', 'out-of-range', 'no-data-yet'] as const)('%s of a query', async (fault) => {
    await withFault({ route: 'query', fault }, async (api) => {
      const { status, json } = await api.query('users', { ...jsonl, since: FIRST_COMMIT });

      expect(status).toBe(400);
      expect(json.error).toMatchObject(
        fault === 'no-data-yet'
          ? { type: 'ProcessingError', message: 'There is no data available yet.' }
          : { type: fault === 'out-of-range' ? 'OutOfRangeError' : 'SnapshotRequiredError', since: FIRST_COMMIT },
      );
    });
  });

  it('a connection that is reset', async () => {
    await withFault({ route: 'tables', fault: 'reset-connection' }, async (api) => {
      await expect(api.get(LIST)).rejects.toThrow('fetch failed');
      expect(api.server.calls.at(-1)).toMatchObject({ status: 0, faults: ['reset-connection'] });
    });
  });
});

describe('answers that are spoiled', () => {
  it('a body that ends before the length it was announced with', async () => {
    await withFault({ route: 'tables', fault: 'cut-connection' }, async (api) => {
      await expect(api.get(LIST)).rejects.toThrow(/terminated|fetch failed/);
    });
  });

  it('a body cut short that says it is whole', async () => {
    await withFault({ route: 'tables', fault: 'truncated-body', afterBytes: 12 }, async (api) => {
      await expect(api.get(LIST)).rejects.toThrow(SyntaxError);
    });
  });

  it('a wrong content type', async () => {
    await withFault({ route: 'tables', fault: 'wrong-content-type' }, async (api) => {
      expect((await api.get(LIST)).headers.get('content-type')).toBe('text/html');
    });
  });

  it('unknown members at every level', async () => {
    await using api = await startDapApi({
      faults: [
        { route: 'query', fault: 'extra-members' },
        { route: 'urls', fault: 'extra-members' },
      ],
    });
    const { json } = await api.query('users', jsonl);

    expect(json).toMatchObject({ started_at: expect.any(String), objects: [{ size: 1 }] });
    const { urls } = (await api.post('/dap/object/url', [{ id: idsOf(json)[0]! }])).json;
    expect(Object.values(urls as JsonObject)).toEqual([{ url: expect.any(String), size: 1 }]);
  });

  it('a schema that is no object', async () => {
    await withFault({ route: 'schema', fault: 'schema-not-object' }, async (api) => {
      expect((await api.get(`${LIST}/users/schema`)).json.schema).toBe('none');
    });
  });

  it('an answer that takes its time', async () => {
    await withFault({ route: 'tables', fault: 'delay', milliseconds: 30 }, async (api) => {
      const before = performance.now();
      expect((await api.get(LIST)).status).toBe(200);
      expect(performance.now() - before).toBeGreaterThan(25);
    });
  });
});

describe('jobs that go wrong', () => {
  it('one that fails, with an empty message; an equal query then starts another', async () => {
    await withFault({ route: 'query', fault: 'failed-job' }, async (api) => {
      const { json } = await api.query('users', jsonl);

      expect(json).toEqual({
        id: expect.any(String),
        status: 'failed',
        expires_at: expect.any(String),
        error: { type: 'ProcessingError', uuid: expect.any(String), message: '' },
      });
      expect((await api.query('users', jsonl)).json.status).toBe('complete');
    });
  });

  it('one that never ends', async () => {
    await withFault({ route: 'query', fault: 'endless-job' }, async (api) => {
      const { json } = await api.query('users', jsonl);
      api.server.advance(50 * 60_000);

      expect((await api.get(`/dap/job/${json.id}`)).json.status).toBe('running');
    });
  });

  it('one that is complete but has ten seconds left', async () => {
    await withFault({ route: 'query', fault: 'expiring-job', secondsLeft: 10 }, async (api) => {
      const { json } = await api.query('users', jsonl);

      expect(json).toMatchObject({ status: 'complete', expires_at: '2026-01-06T08:20:10Z' });
      expect((await api.query('users', jsonl)).json.id).toBe(json.id);
      api.server.advance(10_000);
      expect((await api.get(`/dap/job/${json.id}`)).status).toBe(404);
      expect((await api.query('users', jsonl)).json.id).not.toBe(json.id);
    });
  });

  it('one whose files have many gzip members', async () => {
    await withFault({ route: 'query', fault: 'multi-member-gzip', rowsPerMember: 3 }, async (api) => {
      const { json } = await api.query('users', jsonl);
      const [file] = await api.files(json);

      expect(file!.toString('latin1').split('\x1f\x8b\x08').length - 1).toBeGreaterThanOrEqual(13);
      expect(gunzipSync(file!).toString().trimEnd().split('\n')).toHaveLength(40);
    });
  });

  it('one whose objects and files are named to leave their folder', async () => {
    await withFault({ route: 'query', fault: 'hostile-object-id' }, async (api) => {
      const { json } = await api.query('users', jsonl);
      const [id] = idsOf(json);
      const url = await api.url(id!);

      expect(id).toMatch(/^\.\.\/\.\.\/x\//);
      expect(url).toContain('/..%2F..%2Fpart-');
      expect((await fetch(url)).status).toBe(200);
    });
  });

  it('one whose schema is ahead of the schema route', async () => {
    await withFault({ route: 'query', fault: 'schema-ahead' }, async (api) => {
      expect((await api.query('users', jsonl)).json.schema_version).toBe(2);
      expect((await api.get(`${LIST}/users/schema`)).json.version).toBe(1);
    });
  });
});

describe('downloads that go wrong', () => {
  async function download(
    rule: Omit<FaultRule, 'route'>,
    act: (get: () => Promise<Response>) => Promise<void>,
  ): Promise<void> {
    await withFault({ route: 'download', ...rule }, async (api) => {
      const { json } = await api.query('users', jsonl);
      const url = await api.url(idsOf(json)[0]!);
      await act(() => fetch(url));
    });
  }
  const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

  it('a URL that has expired', async () => {
    await download({ fault: 'expired-url' }, async (get) => {
      expect((await get()).status).toBe(403);
      expect((await get()).status).toBe(200);
    });
  });

  it('a URL that was handed out expired', async () => {
    await withFault({ route: 'urls', fault: 'expired-url' }, async (api) => {
      const { json } = await api.query('users', jsonl);

      expect((await fetch(await api.url(idsOf(json)[0]!))).status).toBe(403);
      expect((await fetch(await api.url(idsOf(json)[0]!))).status).toBe(200);
    });
  });

  it('a connection cut on the way', async () => {
    await download({ fault: 'cut-connection', afterBytes: 100 }, async (get) => {
      await expect(get().then(bytesOf)).rejects.toThrow();
      expect(gunzipSync(await bytesOf(await get())).length).toBeGreaterThan(100);
    });
  });

  it('a gzip stream that ends early in a body that is whole', async () => {
    await download({ fault: 'truncated-gzip' }, async (get) => {
      const bytes = await bytesOf(await get());

      expect(() => gunzipSync(bytes)).toThrow('unexpected end of file');
    });
  });

  it('a gzip stream that is not what it was', async () => {
    await download({ fault: 'corrupt-gzip' }, async (get) => {
      const bytes = await bytesOf(await get());
      const right = await bytesOf(await get());

      expect(bytes.length).toBe(right.length);
      expect(bytes.equals(right)).toBe(false);
    });
  });
});
