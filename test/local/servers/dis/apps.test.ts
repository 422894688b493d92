import { describe, expect, it } from 'vitest';
import { type DisApi, startDisApi } from '../../../support/dis-api.ts';

const HOUR_MS = 3_600_000;

async function withApp(): Promise<DisApi> {
  const api = await startDisApi();
  await api.stream('s', 2);
  await api.call('POST', '/apps', { app_name: 'reader' });
  return api;
}

const commit = (api: DisApi, sequence: unknown, more: object = {}) =>
  api.call('POST', '/checkpoints', {
    app_name: 'reader',
    checkpoint_type: 'LAST_READ',
    stream_name: 's',
    partition_id: '0',
    sequence_number: sequence,
    ...more,
  });
const QUERY = 'stream_name=s&app_name=reader&checkpoint_type=LAST_READ';
const committed = async (api: DisApi, partition = 0) =>
  (await api.get(`/checkpoints?${QUERY}&partition_id=${partition}`)).json;

describe('apps', () => {
  it('are created, shown, listed and deleted', async () => {
    await using api = await withApp();
    for (const name of ['b', 'a']) await api.call('POST', '/apps', { app_name: name });

    const shown = await api.get('/apps/reader');
    const first = await api.get('/apps?limit=2');
    const second = await api.get('/apps?limit=2&start_app_name=b');
    const deleted = await api.call('DELETE', '/apps/reader');

    expect(shown.json).toEqual({
      app_id: expect.stringMatching(/^[A-Za-z0-9]{19}$/),
      app_name: 'reader',
      create_time: api.time.nowMs,
      commit_checkpoint_stream_names: [],
    });
    expect(first.json).toMatchObject({
      has_more_app: true,
      total_number: 3,
      apps: [{ app_name: 'a' }, { app_name: 'b' }],
    });
    expect(second.json).toMatchObject({ has_more_app: false, apps: [{ app_name: 'reader' }] });
    expect({ status: deleted.status, bytes: deleted.bytes.length }).toEqual({ status: 204, bytes: 0 });
    expect((await api.get('/apps/reader')).json.errorCode).toBe('DIS.4332');
  });

  it('are listed by the streams they have a checkpoint on', async () => {
    await using api = await withApp();
    await api.call('POST', '/apps', { app_name: 'other' });
    await commit(api, '0');

    expect((await api.get('/apps?stream_name=s')).json.apps).toMatchObject([
      { app_name: 'reader', commit_checkpoint_stream_names: ['s'] },
    ]);
    expect((await api.get('/apps?stream_name=none')).json.errorCode).toBe('DIS.4301');
  });

  it.each([
    ['a name that is taken', 'reader', 'DIS.4330'],
    ['a bad name', 'a b', 'DIS.4200'],
    ['a long name', 'a'.repeat(201), 'DIS.4200'],
    ['no name', undefined, 'DIS.4200'],
  ])('are not created with %s', async (_, name, code) => {
    await using api = await withApp();
    expect((await api.call('POST', '/apps', { app_name: name })).json.errorCode).toBe(code);
  });

  it('have a quota', async () => {
    await using api = await startDisApi({ appQuota: 1 });
    await api.call('POST', '/apps', { app_name: 'a' });
    expect((await api.call('POST', '/apps', { app_name: 'b' })).json.errorCode).toBe('DIS.4329');
  });
});

describe('consumption', () => {
  it('shows what was committed and what there is, for each partition', async () => {
    await using api = await withApp();
    await api.put(['a', 'b'], 0);
    await commit(api, '1', { metadata: 'm' });

    const { json } = await api.get('/apps/reader/streams/s?checkpoint_type=LAST_READ');

    expect(json).toEqual({
      has_more: false,
      stream_name: 's',
      app_name: 'reader',
      partition_consuming_states: [
        {
          partition_id: '0',
          sequence_number: '1',
          latest_offset: 2,
          earliest_offset: 0,
          checkpoint_type: 'LAST_READ',
          status: 'ACTIVE',
          metadata: 'm',
        },
        {
          partition_id: '1',
          sequence_number: '-1',
          latest_offset: 0,
          earliest_offset: 0,
          checkpoint_type: 'LAST_READ',
          status: 'ACTIVE',
        },
      ],
    });
  });

  it('comes in pages', async () => {
    await using api = await withApp();
    const page = async (query: string) =>
      (await api.get(`/apps/reader/streams/s?checkpoint_type=LAST_READ&${query}`)).json;

    expect(await page('limit=1')).toMatchObject({
      has_more: true,
      partition_consuming_states: [{ partition_id: '0' }],
    });
    expect(await page('start_partition_id=shardId-0000000000')).toMatchObject({
      has_more: false,
      partition_consuming_states: [{ partition_id: '1' }],
    });
  });

  it.each([
    ['/apps/reader/streams/s', 'DIS.4200'],
    ['/apps/reader/streams/none?checkpoint_type=LAST_READ', 'DIS.4301'],
    ['/apps/none/streams/s?checkpoint_type=LAST_READ', 'DIS.4332'],
    ['/apps/reader/streams/s?checkpoint_type=FIRST_READ', 'DIS.4200'],
    ['/apps/reader/streams/s?checkpoint_type=LAST_READ&start_partition_id=x', 'DIS.4201'],
  ])('of %s is refused', async (path, code) => {
    await using api = await withApp();
    expect((await api.get(path)).json.errorCode).toBe(code);
  });
});

describe('checkpoints', () => {
  it('are -1 until something is committed, and what was committed last after that', async () => {
    await using api = await withApp();
    await api.put(['a', 'b', 'c']);
    const before = await committed(api);
    const created = await commit(api, '2', { metadata: 'grüß' });
    await commit(api, 1, { partition_id: 'shardId-0000000000', metadata: null });

    expect(before).toEqual({ sequence_number: '-1', metadata: '' });
    expect({ status: created.status, bytes: created.bytes.length }).toEqual({ status: 201, bytes: 0 });
    expect(await committed(api)).toEqual({ sequence_number: '1', metadata: '' });
  });

  it('lie between the one before the oldest record and the one to come', async () => {
    await using api = await withApp();
    await api.put(['a', 'b']);
    await api.server.advance(24 * HOUR_MS);
    await api.put(['c', 'd']);

    const codes = [];
    for (const sequence of ['0', '1', '4', '5']) codes.push((await commit(api, sequence)).json.errorCode ?? 'done');

    expect(codes).toEqual(['DIS.4224', 'done', 'done', 'DIS.4224']);
    expect((await commit(api, '5')).json.message).toBe(
      'Sequence_number out of range. [5][ should be within ][2][ ][4]',
    );
  });

  it('are deleted one by one or all at once', async () => {
    await using api = await withApp();
    await commit(api, '0');
    await commit(api, '0', { partition_id: '1' });

    const one = await api.call('DELETE', '/checkpoints?stream_name=s&app_name=reader&partition_id=0');
    const left = [await committed(api, 0), await committed(api, 1)];
    await api.call('DELETE', `/checkpoints?${QUERY}`);

    expect(one.status).toBe(204);
    expect(left.map(({ sequence_number }) => sequence_number)).toEqual(['-1', '0']);
    expect((await committed(api, 1)).sequence_number).toBe('-1');
    expect((await api.get('/apps?stream_name=s')).json.apps).toEqual([]);
  });

  it('go with their app and with their stream', async () => {
    await using api = await withApp();
    await commit(api, '0');
    await api.call('DELETE', '/apps/reader');
    await api.call('POST', '/apps', { app_name: 'reader' });
    const afterApp = await committed(api);
    await commit(api, '0');
    await api.call('DELETE', '/streams/s');
    await api.stream();

    expect(afterApp.sequence_number).toBe('-1');
    expect((await committed(api)).sequence_number).toBe('-1');
  });

  it.each([
    ['a number that is none', 'x', {}, 'DIS.4216'],
    ['a negative number', '-1', {}, 'DIS.4216'],
    ['a number over 2^63-1', '9223372036854775808', {}, 'DIS.4216'],
    ['no number', undefined, {}, 'DIS.4200'],
    ['another type', '0', { checkpoint_type: 'FIRST' }, 'DIS.4200'],
    ['no type', '0', { checkpoint_type: undefined }, 'DIS.4200'],
    ['a bad partition', '0', { partition_id: 'shard' }, 'DIS.4201'],
    ['an unknown partition', '0', { partition_id: '5' }, 'DIS.4302'],
    ['an unknown stream', '0', { stream_name: 'none' }, 'DIS.4301'],
    ['an unknown app', '0', { app_name: 'none' }, 'DIS.4332'],
    ['metadata of 1001 characters', '0', { metadata: 'x'.repeat(1001) }, 'DIS.4200'],
  ])('are refused with %s', async (_, sequence, more, code) => {
    await using api = await withApp();
    const { status, json } = await commit(api, sequence, more);
    expect({ status, code: json.errorCode }).toEqual({ status: 400, code });
  });
});
