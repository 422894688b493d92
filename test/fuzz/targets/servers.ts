import { ByteReader } from '../../../local/servers/maxcompute/arrow/byte-reader.ts';
import { decodeStream, MalformedArrowError } from '../../../local/servers/maxcompute/arrow/decode.ts';
import { readContent, readHeader } from '../../../local/servers/maxcompute/blobs/frames.ts';
import { JsonBody } from '../../../local/servers/maxcompute/body.ts';
import { parsePredicate } from '../../../local/servers/maxcompute/sql/predicate.ts';
import { parseStatement } from '../../../local/servers/maxcompute/sql/statements.ts';
import { unlz4, unzstd } from '../../../local/servers/maxcompute/storage/decompress.ts';
import { parseSpec } from '../../../local/servers/maxcompute/tables/partition-spec.ts';
import { formatType, parseType } from '../../../local/servers/maxcompute/tables/types.ts';
import { unframed } from '../../../local/servers/maxcompute/tunnel/arrow-frames.ts';
import { readRecords } from '../../../local/servers/maxcompute/tunnel/records.ts';
import { inChunks } from '../../support/byte-sinks.ts';
import { startDapApi } from '../../support/dap-api.ts';
import { startDisApi } from '../../support/dis-api.ts';
import { arrowStream } from '../samples.ts';
import { Choices, chosen, type FuzzTarget, holds, outcomeOf } from '../target.ts';

const COLUMNS = [
  { id: 1, name: 'pt', type: parseType('string'), nullable: true, comment: '' },
  { id: 2, name: 'b', type: parseType('array<struct<x:bigint,y:map<string,double>>>'), nullable: true, comment: '' },
];
const ITEMS_MAX = 1_000_000;

async function count(items: AsyncIterable<unknown>): Promise<string> {
  let found = 0;
  for await (const _item of items) {
    found += 1;
    holds(found < ITEMS_MAX, 'there are not more items than bytes');
  }
  return `${Math.min(found, 3)} items`;
}

async function total(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > 64 * 1024 * 1024) break;
  }
  return 'bytes';
}

type Read = (bytes: Buffer) => unknown;

/** What the local MaxCompute server reads of requests. */
const READERS: readonly Read[] = [
  (bytes) => void parseStatement(bytes.toString()),
  (bytes) => void parsePredicate(bytes.toString()),
  (bytes) => void parseSpec(bytes.toString(), COLUMNS),
  (bytes) => {
    const type = parseType(bytes.toString());
    // Names in backticks are written without.
    if (!bytes.includes('`')) holds(formatType(parseType(formatType(type))) === formatType(type), 'a type reads again');
  },
  (bytes) => {
    const body = new JsonBody(bytes.toString());
    for (const name of ['a', 'b', 'c']) {
      body.text(name);
      body.texts(name);
      body.inner(name);
    }
  },
  (bytes) => count(readRecords(new ByteReader(inChunks(bytes)), COLUMNS)),
  (bytes) => total(unframed(new ByteReader(inChunks(bytes)))),
  async (bytes) => {
    const reader = new ByteReader(inChunks(bytes));
    while (await readHeader(reader)) await total(readContent(reader));
  },
  (bytes) => total(unlz4(inChunks(bytes))),
  (bytes) => total(unzstd(inChunks(bytes))),
  (bytes) => count(decodeStream(inChunks(bytes))),
];

async function runMaxCompute(data: Uint8Array): Promise<string> {
  const choices = new Choices(data);
  const at = choices.number(READERS.length);
  return `${at} ${await outcomeOf(() => READERS[at]!(choices.rest()), MalformedArrowError, SyntaxError)}`;
}

const opened: Partial<Record<'dap' | 'dis', Promise<unknown>>> = {};

/** A request line, a blank line, a body: to a server that runs. It answers, and never with a mistake of its own. */
async function ask(data: Uint8Array, send: (method: string, path: string, body: string) => Promise<Answered>) {
  const text = Buffer.from(data).toString();
  const end = text.indexOf('\n');
  const [method = 'GET', path = '/'] = (end < 0 ? text : text.slice(0, end)).split(' ');
  if (!METHODS.includes(method)) return 'no request';
  const safePath = encodeURI(path.toWellFormed().replace(/^\/*/, '/'));
  const { status, said } = await send(method, safePath, end < 0 ? '' : text.slice(end + 1));
  holds(!/(?:Type|Range|Syntax|URI|Reference)Error|Maximum call/.test(said), `${method} ends in ${said.slice(0, 200)}`);
  return `${method} ${status}`;
}

const METHODS: readonly string[] = ['GET', 'POST', 'PUT', 'DELETE'];

interface Answered {
  readonly status: number;
  readonly said: string;
}

async function runDap(data: Uint8Array): Promise<string> {
  opened.dap ??= startDapApi({ rows: 3 });
  const api = (await opened.dap) as Awaited<ReturnType<typeof startDapApi>>;
  const headers = { authorization: `Bearer ${await api.token()}`, 'content-type': 'application/json' };
  return ask(data, async (method, path, body) => {
    const { status, text } = await api.send(method, path, { headers, ...(method !== 'GET' && { body }) });
    return { status, said: status >= 500 ? text : '' };
  });
}

async function runDis(data: Uint8Array): Promise<string> {
  opened.dis ??= startDisApi({ throttle: false }).then(async (api) => {
    await api.stream('s');
    return api;
  });
  const api = (await opened.dis) as Awaited<ReturnType<typeof startDisApi>>;
  return ask(data, async (method, path, body) => {
    const project = path.replace('/v2/p/', `/v2/${api.server.credentials.projectId}/`);
    const isProtobuf = path.includes('protobuf');
    const headers = { 'content-type': isProtobuf ? 'application/x-protobuf; charset=utf-8' : 'application/json' };
    const { status, bytes } = await api.send(method, project, { headers, ...(method !== 'GET' && { body }) });
    return { status, said: status >= 500 ? bytes.toString() : '' };
  });
}

const SQL = [
  "CREATE TABLE IF NOT EXISTS p.s.t (a BIGINT NOT NULL COMMENT 'x', b array<struct<x:string>>, PRIMARY KEY (a)) PARTITIONED BY (pt STRING) CLUSTERED BY (a) INTO 4 BUCKETS TBLPROPERTIES ('k'='v') LIFECYCLE 3;",
  "ALTER TABLE t ADD IF NOT EXISTS PARTITION (pt='1') PARTITION (pt='2')",
  'ALTER TABLE t ADD COLUMNS (c decimal(10,2))',
  "SET a=b; SELECT a, `b c` FROM t WHERE (a > 5 AND NOT b IS NULL) OR c IN ('x', 2) LIMIT 10;",
  'DROP TABLE IF EXISTS t',
];

const STREAM = {
  stream_name: 't',
  partition_count: 1,
  data_type: 'JSON',
  data_schema: '{}',
  tags: [{ key: 'a', value: 'b' }],
};
const UPLOAD = {
  stream_name: 's',
  records: [{ data: 'YQ==', partition_id: '0', timestamp: 1, explicit_hash_key: '5' }],
};

export const targets: readonly FuzzTarget[] = [
  {
    name: 'maxcompute-server',
    run: runMaxCompute,
    maxPumpedBytes: 64 * 1024,
    seeds: async () => [
      ...SQL.map((sql) => chosen([0], sql)),
      chosen([1], "(a >= 5 and not (b = 'x''y' or c is not null)) or 7 < d and e not in (1, 2.5, true)"),
      chosen([2], 'pt=1,region=\'eu\'/b="x"'),
      chosen([3], 'map<string,array<struct<`a b`:decimal(10,2),c:varchar(5)>>>'),
      chosen([4], '{"a":"x","b":["1",2],"c":{}}'),
      chosen([5], Buffer.from('0a0161f0ff7f00', 'hex')),
      chosen([5], Buffer.from('12010002000100016100', 'hex')),
      chosen([6], Buffer.from('00000004616263640000000000000000', 'hex')),
      chosen(
        [7],
        Buffer.concat([
          lengthOf(17),
          Buffer.from('{"ColumnIndex":1}'),
          lengthOf(1),
          Buffer.from('a'),
          lengthOf(2),
          Buffer.from('{}'),
        ]),
      ),
      chosen([8], Buffer.from('04224d18604082010000806100000000', 'hex')),
      chosen([9], Buffer.from('28b52ffd0401010000', 'hex')),
      chosen([10], await arrowStream('UNCOMPRESSED')),
      chosen([10], await arrowStream('LZ4_FRAME')),
    ],
    words: ['NOT ', 'not (', '((', "''", '``', 'struct<', 'in (', ', ', "PARTITION (pt='1')", ' x', '--', ';'],
  },
  {
    name: 'dap-server',
    run: runDap,
    maxPumpedBytes: 64 * 1024,
    seeds: () => [
      'GET /dap/query/canvas/table',
      'GET /dap/query/canvas/table/users/schema',
      'POST /dap/query/canvas/table/users/data\n{"format":"jsonl"}',
      'POST /dap/query/canvas/table/users/data\n{"format":"csv","since":"2026-01-01T00:00:00Z","until":"2026-01-06T00:00:00Z"}',
      'GET /dap/job/x',
      'POST /dap/object/url\n[{"id":"a"}]',
      'POST /ids/auth/login\ngrant_type=client_credentials',
      'GET /_storage/x?token=1',
    ],
    words: ['%2e', '%00', '[[]]', '"since":', 'null', '{"id":{}}', '__proto__'],
  },
  {
    name: 'dis-server',
    run: runDis,
    maxPumpedBytes: 64 * 1024,
    seeds: () => [
      `POST /v2/p/streams\n${JSON.stringify(STREAM)}`,
      'GET /v2/p/streams?limit=5&start_stream_name=s',
      'GET /v2/p/streams/s?start_partitionId=0&limit_partitions=5',
      `POST /v2/p/records\n${JSON.stringify(UPLOAD)}`,
      'POST /v2/p/records?protobuf\n\n\u0001s\u0012\u0003\u001a\u0001a',
      'GET /v2/p/cursors?stream-name=s&partition-id=0&cursor-type=AT_SEQUENCE_NUMBER&starting-sequence-number=0',
      'GET /v2/p/records?partition-cursor=eyJ9&max_fetch_bytes=5',
      'POST /v2/p/apps\n{"app_name":"a"}',
      'POST /v2/p/checkpoints\n{"app_name":"a","stream_name":"s","partition_id":"0","sequence_number":"0","metadata":"x","checkpoint_type":"LAST_READ"}',
      'POST /v2/p/stream/i/tags\n{"tag":{"key":"a","value":"b"}}',
      'POST /v2/p/streams/s/transfer-tasks\n{"destination_type":"OBS","obs_destination_descriptor":{"task_name":"t","obs_bucket_path":"b"}}',
      'PUT /v2/p/streams/s\n{"stream_name":"s","target_partition_count":2}',
      'GET /v2/p/streams/s/metrics?label=total_put_bytes_per_stream&start_time=1&end_time=2',
    ],
    words: ['%2e', '%00', '[[]]', 'null', '{}', '-1', '1e9', '99999999999999999999', '__proto__'],
  },
];

function lengthOf(length: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(length));
  return bytes;
}
