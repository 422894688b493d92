import { describe, expect, it } from 'vitest';
import { type DisApi, startDisApi } from '../../../support/dis-api.ts';

const login = (api: DisApi, change: { name?: string; password?: string; project?: string } = {}) => {
  const { userName, password, projectId } = api.server.credentials;
  const user = { name: userName, password, domain: { name: 'any' }, ...change };
  const identity = { methods: ['password'], password: { user } };
  const scope = { project: { id: change.project ?? projectId } };
  return api.send('POST', '/v3/auth/tokens', { body: JSON.stringify({ auth: { identity, scope } }) });
};

describe('the identity service', () => {
  it('gives out tokens that live a day, with the catalog', async () => {
    await using api = await startDisApi({ region: 'eu-nl' });
    const reply = await login(api);
    const token = reply.headers.get('x-subject-token')!;
    const list = async () => {
      const path = `/v2/${api.server.credentials.projectId}/streams`;
      return (await api.send('GET', path, { headers: { 'x-auth-token': token } })).json.errorCode ?? 'listed';
    };

    expect(reply.status).toBe(201);
    expect(reply.json.token).toMatchObject({
      expires_at: '2026-01-07T08:20:00.000000Z',
      project: { id: api.server.credentials.projectId },
      catalog: [
        { type: 'disv2', endpoints: [{ interface: 'public', region: 'eu-nl', url: api.server.endpoint }] },
        { type: 'identity' },
      ],
    });
    expect(await list()).toBe('listed');
    await api.server.advance(86_400_000);
    expect(await list()).toBe('DIS.4114');
  });

  it('takes tokens back when it is told', async () => {
    await using api = await startDisApi();
    const token = (await login(api)).headers.get('x-subject-token')!;
    api.server.revokeTokens();
    const reply = await api.send('GET', `/v2/${api.server.credentials.projectId}/streams`, {
      headers: { 'x-auth-token': token },
    });
    expect(reply).toMatchObject({ status: 441, json: { errorCode: 'DIS.4114' } });
    expect((await api.get('/streams')).status).toBe(200);
  });

  it.each([{ name: 'other' }, { password: 'other' }, { project: 'other' }])('refuses %j', async (change) => {
    await using api = await startDisApi();
    expect((await login(api, change)).status).toBe(401);
  });

  it('shows its versions', async () => {
    await using api = await startDisApi();
    expect((await api.send('GET', '/')).status).toBe(300);
    expect(await api.send('GET', '/v3')).toMatchObject({ status: 200, json: { version: { id: 'v3.6' } } });
  });

  it.each([
    ['token', 200, 441],
    ['signature', 441, 441],
    ['none', 200, 200],
  ] as const)('may be told to take only %s', async (auth, withToken, withNothing) => {
    await using api = await startDisApi({ auth });
    const path = `/v2/${api.server.credentials.projectId}/streams`;
    expect((await api.get('/streams')).status).toBe(withToken);
    expect((await fetch(api.server.url + path)).status).toBe(withNothing);
  });
});

describe('monitoring', () => {
  it('counts by the minute, for streams and partitions', async () => {
    await using api = await startDisApi();
    await api.stream('s', 2);
    await api.put(['abc', 'def'], 0);
    await api.put(['g'], 1);
    await api.texts(0);
    const start = api.time.nowMs / 1000;
    const get = async (path: string) => (await api.get(`${path}&start_time=${start}&end_time=${start + 60}`)).json;

    expect(await get('/streams/s/metrics?label=total_put_bytes_per_stream')).toEqual({
      metrics: {
        label: 'total_put_bytes_per_stream',
        dataPoints: [
          { timestamp: start, value: 7 },
          { timestamp: start + 60, value: 0 },
        ],
      },
    });
    const labels = 'total_put_records_per_partition,total_get_records_per_partition';
    expect(await get(`/streams/s/partitions/0/metrics?label_list=${labels}`)).toMatchObject({
      metrics_list: [{ dataPoints: [{ value: 2 }, { value: 0 }] }, { dataPoints: [{ value: 2 }, { value: 0 }] }],
    });
    expect((await get('/streams/s/metrics?label=nothing')).errorCode).toBe('DIS.4209');
    const week = await api.get(`/streams/s/metrics?label=traffic_control_put&start_time=0&end_time=604801`);
    expect(week.json.errorCode).toBe('DIS.4204');
  });
});

describe('tags', () => {
  it('are added, shown, searched and removed', async () => {
    await using api = await startDisApi();
    await api.stream('s', 1, { tags: [{ key: 'a', value: '1' }] });
    await api.stream('t');
    const id = (await api.get('/streams/s')).json.stream_id;
    const tags = async () => (await api.get(`/stream/${id}/tags`)).json.tags;

    expect((await api.call('POST', `/stream/${id}/tags`, { tag: { key: 'b', value: '2' } })).status).toBe(201);
    expect(await tags()).toEqual([
      { key: 'a', value: '1' },
      { key: 'b', value: '2' },
    ]);
    const changed = { action: 'create', tags: [{ key: 'a', value: '3' }] };
    expect((await api.call('POST', `/stream/${id}/tags/action`, changed)).status).toBe(204);
    expect((await api.call('DELETE', `/stream/${id}/tags/b`)).status).toBe(204);
    expect(await tags()).toEqual([{ key: 'a', value: '3' }]);
    expect((await api.get('/stream/tags')).json.tags).toEqual([{ key: 'a', values: ['3'] }]);
    const search = { action: 'filter', tags: [{ key: 'a', values: ['3'] }] };
    expect((await api.call('POST', '/stream/resource_instances/action', search)).json).toMatchObject({
      total_count: 1,
      resources: [{ resource_id: id, resource_name: 's' }],
    });
    const others = { action: 'count', not_tags: [{ key: 'a', values: [] }] };
    expect((await api.call('POST', '/stream/resource_instances/action', others)).json).toEqual({ total_count: 1 });
    expect((await api.call('DELETE', `/stream/${id}/tags/b`)).json.errorCode).toBe('DIS.4604');
    expect((await api.get('/stream/none/tags')).json.errorCode).toBe('DIS.4603');
    expect((await api.call('POST', `/stream/${id}/tags/action`, { action: 'x', tags: [] })).json.errorCode).toBe(
      'DIS.4605',
    );
  });
});
