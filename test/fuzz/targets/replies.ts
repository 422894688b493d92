import { readFileSync } from 'node:fs';
import { Credentials, DapClient } from '../../../shared/clients/dap/index.ts';
import { Instant } from '../../../shared/clients/dap/instant.ts';
import { DisClient } from '../../../shared/clients/dis/index.ts';
import { MaxComputeClient } from '../../../shared/clients/maxcompute/index.ts';
import { NO_RETRY } from '../../../shared/clients/maxcompute/retry.ts';
import { parseRetryAfter, readBody } from '../../../shared/clients/transport/reply.ts';
import { silentLogger } from '../../../shared/core/logger.ts';
import { inChunks } from '../../support/byte-sinks.ts';
import { Choices, chosen, type FuzzTarget, holds, outcomeOf } from '../target.ts';

const NOW = new Date('2026-01-06T10:00:00.000Z');
const CALLS_MAX = 40;
const ITEMS_MAX = 5000;
const STATUSES = [200, 201, 204, 400, 401, 403, 404, 409, 429, 441, 500, 503, 504];
const TYPES = ['application/json', 'application/x-protobuf; charset=utf-8', 'text/plain', 'application/xml'];
/** Ends an answer's header part; what follows is the body, or the next answer. */
const SEPARATOR = Buffer.from('\n~~\n');

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

/** Answers, one after another: a byte for the status, one for the type and more, then the body. The last one is repeated. */
class Answers {
  readonly #parts: Buffer[] = [];
  #given = 0;

  constructor(data: Buffer) {
    for (let at = 0; at <= data.length; ) {
      const end = data.indexOf(SEPARATOR, at);
      this.#parts.push(data.subarray(at, end < 0 ? data.length : end));
      at = end < 0 ? data.length + 1 : end + SEPARATOR.length;
    }
  }

  next(): Answer {
    // A client that asks for ever is caught by its fake clock, or here.
    holds(this.#given < CALLS_MAX, `no more than ${CALLS_MAX} requests are sent`);
    const choices = new Choices(this.#parts[Math.min(this.#given++, this.#parts.length - 1)]!);
    const status = choices.pick(STATUSES);
    const more = choices.number(64);
    const headers = new Headers({ 'content-type': TYPES[more % TYPES.length]! });
    const body = choices.rest();
    const text = body
      .subarray(0, 40)
      .toString('latin1')
      .replaceAll(/[^ -~]/g, '');
    if (more & 4) headers.set('retry-after', text);
    if (more & 8) headers.set('date', text);
    if (more & 16) headers.set('content-length', String(body.length + (more & 32)));
    return { status, headers, body };
  }

  fetch = async (): Promise<Response> => {
    const { status, headers, body } = this.next();
    return new Response(status === 204 ? null : new Uint8Array(body), { status, headers });
  };
}

async function some(items: AsyncIterable<unknown>): Promise<string> {
  let count = 0;
  for await (const _item of items) {
    count += 1;
    if (count > ITEMS_MAX) break;
  }
  return `${Math.min(count, 3)} items`;
}

function clock() {
  let ms = NOW.getTime();
  return {
    clock: () => new Date(ms),
    sleep: async (wait: number, signal: AbortSignal) => {
      signal.throwIfAborted();
      ms += wait;
    },
    random: () => 0.5,
    logger: silentLogger,
  };
}

async function runDap(data: Uint8Array): Promise<string> {
  const choices = new Choices(data);
  const call = choices.number(7);
  const isLoggedIn = choices.number(4) > 0;
  const answers = new Answers(choices.rest());
  const token = `e30.${Buffer.from('{"exp":4102444800}').toString('base64url')}.c2ln`;
  const client = new DapClient({
    baseUrl: 'https://dap.example',
    credentials: Credentials.create('us-east-1#0c59cade-0000-4000-8000-000000000000', 'example-secret'),
    ...clock(),
    fetch: async (url) =>
      isLoggedIn && url.endsWith('/ids/auth/login')
        ? Response.json({ access_token: token, expires_in: 3600, scope: 'x', token_type: 'Bearer' })
        : answers.fetch(),
  });
  const session = client.open();
  const outcome = await outcomeOf(async () => {
    const since = Instant.parse('2026-01-01T00:00:00Z');
    if (call === 0) await session.getTables('canvas');
    else if (call === 1) await session.getTableSchema('canvas', 'users');
    else if (call === 2) await session.getJob('job');
    else if (call === 3) await session.querySnapshot('canvas', 'users', { format: 'jsonl' as never });
    else if (call === 4) await session.queryIncremental('canvas', 'users', { format: 'jsonl' as never, since });
    else if (call === 5) await session.getResources([{ id: 'a' }, { id: '__proto__' }]);
    else return some(await session.streamResource({ url: 'https://storage.example/a' as never }));
    return 'done';
  });
  await session.close();
  return `${call} ${outcome}`;
}

async function runDis(data: Uint8Array): Promise<string> {
  const choices = new Choices(data);
  const call = choices.number(10);
  const answers = new Answers(choices.rest());
  const client = new DisClient({
    endpoint: 'https://dis.example.com',
    projectId: '0123456789abcdef0123456789abcdef',
    region: 'eu-de',
    credentials: { token: 'a-token' },
    ...clock(),
    recordFormat: call % 2 === 0 ? 'json' : 'protobuf',
    fetch: answers.fetch,
  });
  const outcome = await outcomeOf(async () => {
    if (call === 0 || call === 1) return some((await client.downloadData('cursor')).records as never);
    if (call === 2 || call === 3) {
      await client.uploadData('s', { records: [{ data: 'a' }, { data: 'b', partitionKey: 'k' }] });
    } else if (call === 4) return some(client.streams());
    else if (call === 5) await client.getStream('s');
    else if (call === 6) return some(client.apps());
    else if (call === 7) await client.getDataCursor('s', 0, { cursorType: 'TRIM_HORIZON' });
    else if (call === 8) return some(client.dumpTasks('s'));
    else await client.getCheckpoint('s', 'app', '0', {} as never);
    return 'done';
  });
  await client.close();
  return `${call} ${outcome}`;
}

async function runMaxCompute(data: Uint8Array): Promise<string> {
  const choices = new Choices(data);
  const call = choices.number(10);
  const answers = new Answers(choices.rest());
  const client = new MaxComputeClient({
    project: 'demo_project',
    tunnelEndpoint: 'http://tunnel.example.com',
    endpoint: 'http://service.example.com/api',
    credentials: { accessId: 'TESTACCESSKEYID0', accessKey: 'TestSecretAccessKey0123456789ab' },
    ...clock(),
    retry: NO_RETRY,
    fetch: async () => {
      const { status, headers, body } = answers.next();
      return { status, headers, body: inChunks(body, 1000) };
    },
  });
  const table = client.table('orders');
  const outcome = await outcomeOf(async () => {
    if (call === 0) await table.createReadSession({});
    else if (call === 1) await table.getReadSession('s');
    else if (call === 2) return some(client.listTables());
    else if (call === 3) await client.getTable('orders');
    else if (call === 4) return some(client.listPartitions('orders'));
    else if (call === 5) return some(table.readRowsStream({ sessionId: 's', splitIndex: 0 }));
    else if (call === 6) await table.getWriteSchema('s');
    else if (call === 7) await table.getWriteSession('s');
    else if (call === 8) await table.commitWriteSession('s', []);
    else return some(await table.readBlobs({ blobReferences: ['a', 'b'] }));
    return 'done';
  });
  return `${call} ${outcome}`;
}

async function runTransport(data: Uint8Array): Promise<string> {
  const choices = new Choices(data);
  const { status, headers, body } = new Answers(choices.rest()).next();
  const max = choices.number(200);
  const response = new Response(status === 204 ? null : new Uint8Array(body), { status, headers });
  const { bytes, ending } = await readBody(response, max);
  holds(bytes.length <= body.length, 'no more is read than there is');
  holds(ending !== 'whole' || bytes.length === (status === 204 ? 0 : body.length), 'a whole body is whole');
  const waitMs = parseRetryAfter(body.toString('latin1'), NOW);
  holds(waitMs === undefined || waitMs >= 0, 'a wait is a number of milliseconds');
  return `${ending} ${waitMs === undefined}`;
}

interface Exchange {
  readonly reply: { readonly status: number; readonly body?: unknown; readonly bodyText?: string };
}

const fixture = <T>(path: string): T =>
  JSON.parse(readFileSync(new URL(`../../fixtures/${path}.json`, import.meta.url), 'utf8')) as T;

const answer = (status: number, type: number, body: unknown) =>
  chosen([Math.max(0, STATUSES.indexOf(status)), type], typeof body === 'string' ? body : JSON.stringify(body ?? ''));

function dapSeeds(): Uint8Array[] {
  const files = { token: 0, tables: 0, schema: 1, job: 2, start: 3, errors: 4, urls: 5, storage: 6 };
  return Object.entries(files).flatMap(([file, call]) =>
    fixture<Exchange[]>(`dap/${file}`)
      .map(({ reply }) => answer(reply.status, 0, reply.bodyText ?? reply.body))
      .map((bytes) => chosen([call, file === 'token' ? 0 : 1], bytes)),
  );
}

function disSeeds(): Uint8Array[] {
  const { resources } = fixture<{ resources: Record<string, Record<string, unknown>> }>('dis/resources');
  const examples = Object.values(resources).flatMap((resource) => Object.values(resource));
  const records = {
    records: [{ data: 'YQ==', sequence_number: '1', partition_key: 'k', timestamp: 1, timestamp_type: 'CreateTime' }],
  };
  const stream = {
    stream_name: 's',
    stream_id: 'i',
    partitions: [
      { partition_id: 'shardId-0000000000', status: 'ACTIVE', hash_range: '[0 : 9]', sequence_number_range: '[0 : 1]' },
    ],
    retention_period: 24,
    create_time: 1,
    data_schema: '{}',
    tags: [{ key: 'a', value: 'b' }],
  };
  return [
    ...examples.slice(0, 30).map((body, at) => chosen([at % 10], answer(200, 0, body))),
    chosen(
      [0],
      answer(200, 0, {
        ...records,
        next_partition_cursor: 'c',
        millis_behind_latest: 12345678901234567890n.toString(),
      }),
    ),
    chosen([1], answer(200, 1, Buffer.from('72016382010a8a010161920101319a010162').toString('latin1'))),
    chosen(
      [2],
      answer(200, 0, {
        failed_record_count: 1,
        records: [
          { partition_id: '0', sequence_number: '1' },
          { error_code: 'DIS.4303', error_message: 'm' },
        ],
      }),
    ),
    chosen([4], answer(200, 0, { stream_names: ['s'], stream_info_list: [stream], has_more_streams: true })),
    chosen([5], answer(200, 0, stream)),
    chosen([6], answer(200, 0, { apps: [{ app_name: 'a', app_id: 'i', create_time: 1 }], has_more_app: false })),
    chosen([7], answer(200, 0, { partition_cursor: 'c' })),
    chosen(
      [8],
      answer(200, 0, { tasks: [{ task_name: 't', task_id: 'i', state: 'RUNNING', destination_type: 'OBS' }] }),
    ),
    chosen([5], answer(400, 0, { errorCode: 'DIS.4303', message: 'slow' })),
  ];
}

interface Case {
  readonly http_status: number;
  readonly body?: unknown;
  readonly body_utf8?: string;
}

function maxComputeSeeds(): Uint8Array[] {
  const cases = [
    ...fixture<{ cases: Case[] }>('maxcompute/responses').cases,
    ...fixture<{ cases: Case[] }>('maxcompute/errors').cases,
  ];
  const table = `<Table><Name>t</Name><LastModifiedTime>Thu, 20 Nov 2025 08:00:00 GMT</LastModifiedTime><Schema format="Json"><![CDATA[{"columns":[{"name":"a","type":"array<struct<x:string>>"}],"partitionKeys":[]}]]></Schema></Table>`;
  return [
    ...cases.map(({ http_status, body, body_utf8 }, at) =>
      chosen([at % 10], answer(http_status, 0, body_utf8 ?? body)),
    ),
    chosen([2], answer(200, 3, '<Tables><Marker/><Table><Name>a&amp;b</Name></Table></Tables>')),
    chosen([3], answer(200, 3, table)),
    chosen([4], answer(200, 3, '<Partitions><Partition><Column Name="pt" Value="1"/></Partition></Partitions>')),
  ];
}

export const targets: readonly FuzzTarget[] = [
  { name: 'dap-replies', run: runDap, seeds: dapSeeds, words: ['{"toString":1}', '[[]]', '{"error":'] },
  { name: 'dis-replies', run: runDis, seeds: disSeeds, words: ['{"toString":1}', '[[]]', 'has_more', '[0 : 99]'] },
  {
    name: 'maxcompute-replies',
    run: runMaxCompute,
    seeds: maxComputeSeeds,
    words: [
      '{"toString":1}',
      '[[]]',
      '<![CDATA[',
      ']]>',
      '<!--',
      '&#x10ffff;',
      '&#99999999;',
      '<Table>',
      'struct<',
      'decimal(38,18)',
    ],
  },
  {
    name: 'transport',
    run: runTransport,
    seeds: () => [
      chosen([100, 0, 20], '120'),
      chosen([3, 0, 4], 'Tue, 06 Jan 2026 10:00:05 GMT'),
      chosen([1, 0, 60], 'x'),
    ],
  },
];
