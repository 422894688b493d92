import { describe, expect, it } from 'vitest';
import { type DapApi, startDapApi } from '../../../support/dap-api.ts';

const call = (api: DapApi, method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  api.send(method, `/_control/${path}`, { headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });

describe('the control plane', () => {
  it('moves time by milliseconds or refreshes', async () => {
    await using api = await startDapApi();

    expect((await call(api, 'POST', 'advance', { milliseconds: 1500 })).json).toEqual({
      now: '2026-01-06T08:20:01.500Z',
    });
    expect((await call(api, 'POST', 'advance', { refreshes: 2 })).json).toEqual({ now: '2026-01-06T16:20:01.500Z' });
    expect((await call(api, 'GET', 'clock')).json).toEqual({ now: '2026-01-06T16:20:01.500Z' });
    expect((await call(api, 'POST', 'advance', { milliseconds: -1 })).status).toBe(400);
    expect((await call(api, 'POST', 'advance', {})).status).toBe(400);
  });

  it('adds and drops faults', async () => {
    await using api = await startDapApi();

    expect(
      (await call(api, 'POST', 'faults', { faults: [{ route: 'login', fault: 'unauthorized', times: 9 }] })).status,
    ).toBe(200);
    expect((await api.login()).status).toBe(401);
    await call(api, 'DELETE', 'faults');
    expect((await api.login()).status).toBe(200);
    expect((await call(api, 'POST', 'faults', { faults: [{ fault: 'x' }] })).status).toBe(400);
  });

  it('lists and forgets calls', async () => {
    await using api = await startDapApi();
    await api.login();

    expect((await call(api, 'GET', 'calls')).json.calls).toMatchObject([{ route: 'login', status: 200 }]);
    await call(api, 'DELETE', 'calls');
    expect((await call(api, 'GET', 'calls')).json.calls).toEqual([]);
  });

  it('writes, deletes, reloads and evolves', async () => {
    await using api = await startDapApi();
    const users = (action: string, body?: unknown) => call(api, 'POST', `tables/canvas/users/${action}`, body);

    await users('upsert', {
      key: '90730000000000001',
      values: { name: '__cd2_oversized_truncated__', merged_into_user_id: '90730000000000777' },
    });
    await users('delete', { key: '90730000000000002' });
    expect((await users('evolve')).json).toEqual({ version: 2 });
    const { json } = await api.query('users', { format: 'jsonl' });
    const text = await api.text(json);
    expect(text).toContain(
      '{"key":{"id":90730000000000001},"value":{"name":"__cd2_oversized_truncated__","merged_into_user_id":90730000000000777},',
    );
    expect(text).not.toContain('"id":90730000000000002}');
    expect(json.schema_version).toBe(2);
    expect((await users('reload')).status).toBe(200);

    expect((await users('upsert', { key: '1', values: { nothing: 1 } })).status).toBe(400);
    expect((await users('nothing')).status).toBe(400);
    expect((await call(api, 'POST', 'tables/canvas/nothing/reload')).status).toBe(404);
  });

  it('is not for web pages that this machine’s browser shows', async () => {
    await using api = await startDapApi();

    expect((await call(api, 'GET', 'clock', undefined, { origin: 'http://127.0.0.1' })).status).toBe(403);
  });
});
