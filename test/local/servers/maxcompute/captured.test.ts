import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type MaxComputeServer, startMaxComputeServer } from '../../../../local/servers/maxcompute/server.ts';
import { type Answer, Api, fixture } from './api.ts';

interface Captured {
  readonly operation: string;
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body_utf8?: string;
  readonly body_base64?: string;
}

const { requests } = fixture<{ requests: readonly Captured[] }>('wire_requests');

let server: MaxComputeServer;

beforeEach(async () => {
  server = await startMaxComputeServer({ project: 'demo_project' });
});

afterEach(async () => {
  await server.close();
});

async function createOrders(blobColumn: 'BLOB' | 'BINARY'): Promise<void> {
  await server.sql(`CREATE TABLE orders (a BIGINT, b ${blobColumn}) PARTITIONED BY (pt STRING)`);
  await server.sql("ALTER TABLE orders ADD PARTITION (pt='1')");
}

/** Sends what was captured from PyODPS, in its order, with the ids and tokens that this server gave instead of those. */
async function replay(): Promise<Map<string, Answer>> {
  const api = new Api(server);
  const job = '<Instance><Job><Tasks><SQL><Query>SELECT a FROM orders</Query></SQL></Tasks></Job></Instance>';
  const { headers } = await api.send('POST', '/api/projects/demo_project/instances', {}, job);
  const instance = headers.get('location')!.split('/').at(-1)!;
  const known = { read: '', write: '', instance: '', access: '', route: '' };
  const answers = new Map<string, Answer>();
  for (const { operation, method, path, query, headers: captured, ...body } of requests) {
    const { Action: action = '', SessionId: session } = query;
    const kind = action.startsWith('Instance') ? 'instance' : /Read/.test(action) ? 'read' : 'write';
    const params = new URLSearchParams({
      ...query,
      ...(query.Target && { Target: query.Target.replace('20250420000000000abc', instance) }),
      ...(session && { SessionId: known[kind] }),
    });
    const sent: Record<string, string> = Object.fromEntries(
      Object.entries(captured).map(([name, value]) => [name.toLowerCase(), value]),
    );
    delete sent['transfer-encoding'];
    if (sent['x-odps-max-storage-route-token']) sent['x-odps-max-storage-route-token'] = known.route;
    if (sent['x-odps-max-storage-write-access-token']) sent['x-odps-max-storage-write-access-token'] = known.access;
    const bytes =
      body.body_base64 === undefined ? Buffer.from(body.body_utf8 ?? '') : Buffer.from(body.body_base64, 'base64');
    const answer = await api.send(method, `${path}?${params}`, sent, method === 'GET' ? undefined : bytes);
    answers.set(operation, answer);
    known.route = answer.headers.get('x-odps-max-storage-route-token') ?? known.route;
    known.access = answer.json.AccessToken ?? known.access;
    const id = answer.json.SessionId ?? answer.json.DownloadID;
    if (id !== undefined) known[kind] = id;
  }
  return answers;
}

const refused = (answers: ReadonlyMap<string, Answer>): Record<string, number> =>
  Object.fromEntries(
    [...answers].filter(([, { status }]) => status !== 200).map(([name, { status }]) => [name, status]),
  );

const of = (answers: ReadonlyMap<string, Answer>, part: string): string[] =>
  [...answers.keys()].filter((name) => name.includes(part));

describe('requests as PyODPS sends them', () => {
  it('are all answered, of a table without blobs', async () => {
    await createOrders('BINARY');
    // A session is opened before the first rows are written, and sees them only when all is sent once more.
    await replay();

    const answers = await replay();

    const expected = Object.fromEntries([
      ...of(answers, 'write_blob').map((name) => [name, 400]),
      ...of(answers, 'read_blobs').map((name) => [name, 404]),
      // It was committed by then.
      ['abort_write_session', 409],
    ]);
    expect(refused(answers)).toEqual(expected);
    // The last session that was committed overwrote the partition with its three rows.
    expect(server.rowCount('orders')).toBe(3);
    for (const { headers } of answers.values()) expect(headers.get('x-odps-request-id')).toMatch(/^\w+$/);
  });

  it('are all answered, of a table with blobs', async () => {
    await createOrders('BLOB');

    const answers = await replay();

    for (const name of of(answers, 'write_blob')) expect(answers.get(name)!.status).toBe(200);
    expect(answers.get('write_blob_batch')!.json.BlobReferences).toHaveLength(2);
    expect(answers.get('write_blob_stream(zstd)')!.json).toMatchObject({
      Size: 11,
      MD5Value: '5eb63bbbe01eeed093cb22bb8f5acdc3',
    });
    expect(answers.get('write_blob_stream(lz4)')!.json).toMatchObject({
      Size: 11,
      MD5Value: '5eb63bbbe01eeed093cb22bb8f5acdc3',
    });
    // Its rows refer to blobs of another server.
    expect(answers.get('write_rows_stream(arrow, uncompressed)')!.json.Message).toContain(
      'refers to a blob that was not uploaded',
    );
  });
});
