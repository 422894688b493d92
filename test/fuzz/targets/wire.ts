import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { threadId } from 'node:worker_threads';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { readJsonLines, readTable } from '../../../shared/clients/dap/records.ts';
import { csvRecords } from '../../../shared/clients/dis/csv.ts';
import { parseDownloadProtobuf, parseUploadProtobuf } from '../../../shared/clients/dis/records-protobuf.ts';
import { batchesOf } from '../../../shared/clients/maxcompute/arrow/decode.ts';
import { messagesOf } from '../../../shared/clients/maxcompute/arrow/messages.ts';
import { rowsOfBatch } from '../../../shared/clients/maxcompute/arrow/rows.ts';
import { parseDecimal, parseTimestamp } from '../../../shared/clients/maxcompute/arrow/value-text.ts';
import { withoutCrcs } from '../../../shared/clients/maxcompute/blob/crc-blocks.ts';
import { BlobReader } from '../../../shared/clients/maxcompute/blob/reader.ts';
import { packContent, unpackContent } from '../../../shared/clients/maxcompute/codec/content-coding.ts';
import { Compression } from '../../../shared/clients/maxcompute/enums.ts';
import { parseDeclaredType } from '../../../shared/clients/maxcompute/tables/declared-type.ts';
import { parseXml } from '../../../shared/clients/maxcompute/tables/xml.ts';
import { inChunks } from '../../support/byte-sinks.ts';
import { arrowStream } from '../samples.ts';
import { Choices, chosen, type FuzzTarget, holds, outcomeOf, outcomeOfSync } from '../target.ts';

const OUTPUT_MAX_BYTES = 128 * 1024 * 1024;
const ROWS_MAX = 1_000_000;

async function collected(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > OUTPUT_MAX_BYTES) break;
    all.push(chunk);
  }
  return Buffer.concat(all);
}

async function runArrow(data: Uint8Array): Promise<string> {
  const choices = new Choices(data);
  const chunkSize = 1 + choices.number(250) * 9;
  const bytes = choices.rest();
  let rows = 0;
  return outcomeOf(async () => {
    for await (const batch of batchesOf(messagesOf(inChunks(bytes, chunkSize)))) {
      rows += batch.numRows;
      holds(rows <= ROWS_MAX, `a stream of ${bytes.length} bytes has no more than ${ROWS_MAX} rows`);
      await rowsOfBatch(batch);
    }
    return `${Math.min(rows, 3)} rows`;
  });
}

const CODINGS = ['identity', 'lz4', 'zstd', 'gzip', 'deflate'] as const;
const PACKED_AS = [Compression.UNCOMPRESSED, Compression.LZ4_FRAME, Compression.ZSTD] as const;

/** What is packed unpacks to itself; what is not is refused by name, and the packing of the input itself comes back. */
async function runCoding(data: Uint8Array): Promise<string> {
  const choices = new Choices(data);
  const coding = choices.pick(CODINGS);
  const chunkSize = 1 + choices.number(250) * 9;
  const bytes = choices.rest();
  const outcome = await outcomeOf(async () => {
    await collected(unpackContent(inChunks(bytes, chunkSize), coding));
  });
  const compression = PACKED_AS[CODINGS.indexOf(coding)];
  if (compression !== undefined) {
    const packed = await collected(packContent(inChunks(bytes, chunkSize), compression));
    const again = await collected(unpackContent(inChunks(packed, chunkSize), coding));
    holds(again.equals(bytes), `${coding} unpacks what it packed`);
  }
  return `${coding} ${outcome}`;
}

async function runBlobs(data: Uint8Array): Promise<string> {
  const choices = new Choices(data);
  const isChecked = choices.number(2) === 1;
  const count = choices.number(4);
  const chunkSize = 1 + choices.number(250) * 9;
  const bytes = choices.rest();
  return outcomeOf(async () => {
    const chunks = inChunks(bytes, chunkSize);
    const reader = new BlobReader(isChecked ? withoutCrcs(chunks) : chunks, count, count !== 1);
    let size = 0;
    for await (const { data: blob } of reader) size += blob.length;
    holds(size <= bytes.length, 'blobs are no longer than what holds them');
    return `${count} blobs`;
  });
}

function runProtobuf(data: Uint8Array): string {
  const choices = new Choices(data);
  const isUpload = choices.number(2) === 1;
  const bytes = choices.rest();
  return outcomeOfSync(() => {
    if (isUpload) return `${parseUploadProtobuf(bytes, 1).length} results`;
    const { records } = parseDownloadProtobuf(bytes);
    const held = records.reduce((sum, { data: one }) => sum + one.length, 0);
    holds(held <= bytes.length * 2, 'records are no longer than what holds them');
    return `${Math.min(records.length, 3)} records`;
  });
}

async function runDapRecords(data: Uint8Array): Promise<string> {
  const choices = new Choices(data);
  const format = choices.pick(['jsonl', 'tsv', 'csv'] as const);
  const bytes = choices.rest();
  const read = async (chunkSize: number) => {
    const rows: string[] = [];
    const chunks = inChunks(bytes, chunkSize);
    const records = format === 'jsonl' ? readJsonLines(chunks) : readTable(chunks, format);
    const outcome = await outcomeOf(async () => {
      for await (const record of records) rows.push(format === 'jsonl' ? '' : JSON.stringify(record));
    });
    return { outcome, isWhole: outcome === 'done', rows };
  };
  const whole = await read(1 << 20);
  if (bytes.length < 2000) {
    const pieces = await read(1 + (bytes.length % 5));
    const count = Math.min(whole.rows.length, pieces.rows.length);
    holds(whole.isWhole === pieces.isWhole, 'in pieces it ends alike');
    holds(!whole.isWhole || whole.rows.length === pieces.rows.length, 'in pieces it has as many rows');
    holds(isDeepStrictEqual(whole.rows.slice(0, count), pieces.rows.slice(0, count)), 'in pieces it reads alike');
  }
  return `${format} ${whole.outcome} ${Math.min(whole.rows.length, 3)}`;
}

function runValues(data: Uint8Array): string {
  const choices = new Choices(data);
  const kind = choices.number(4);
  const text = choices.rest().toString();
  return outcomeOfSync(() => {
    if (kind === 0) return `${parseXml(text) === undefined}`;
    if (kind === 1) return parseDeclaredType(text).name.slice(0, 8);
    if (kind === 2) return `${parseDecimal(text, 4) === undefined}`;
    return `${parseTimestamp(text, 3) === undefined}`;
  });
}

const csvFile = join(tmpdir(), `landfall-fuzz-${process.pid}-${threadId}.csv`);
process.once('exit', () => rmSync(csvFile, { force: true }));

/** Files that a command reads; what it writes of a text is one cell of its row. */
async function runDisCsv(data: Uint8Array): Promise<string> {
  writeFileSync(csvFile, data);
  let rows = 0;
  const outcome = await outcomeOf(async () => {
    for await (const record of csvRecords(csvFile)) {
      rows += 1;
      holds(typeof record.data === 'string', 'a record has data');
    }
  });
  const text = Buffer.from(data).toString().toWellFormed().replaceAll('\ufeff', '');
  writeFileSync(csvFile, `partition_key,data\n"${text.replaceAll('"', '""')}",x\n`);
  for await (const { partitionKey } of csvRecords(csvFile)) {
    holds((partitionKey ?? '') === text, 'a cell in quotes is what was quoted');
  }
  return `${outcome} ${Math.min(rows, 3)}`;
}

interface BlobStreams {
  readonly cases?: readonly Record<string, unknown>[];
}

const fixture = <T>(path: string): T =>
  JSON.parse(readFileSync(new URL(`../../fixtures/${path}.json`, import.meta.url), 'utf8')) as T;

/** All texts of a document that are long and base64. */
function base64Of(value: unknown): Buffer[] {
  if (typeof value === 'string') return /^[A-Za-z0-9+/]{8,}={0,2}$/.test(value) ? [Buffer.from(value, 'base64')] : [];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(base64Of) : [];
}

function hexOf(value: unknown): Buffer[] {
  if (typeof value === 'string') return /^(?:[0-9a-f]{2}){4,}$/.test(value) ? [Buffer.from(value, 'hex')] : [];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(hexOf) : [];
}

const short = (inputs: readonly Buffer[], count: number) =>
  inputs.filter(({ length }) => length < 3000).slice(0, count);

export const targets: readonly FuzzTarget[] = [
  {
    name: 'maxcompute-arrow',
    run: runArrow,
    maxBytes: 6000,
    maxPumpedBytes: 64 * 1024,
    seeds: async () => [
      ...(await Promise.all((['UNCOMPRESSED', 'ZSTD', 'LZ4_FRAME'] as const).map(arrowStream))).map((bytes) =>
        chosen([200], bytes),
      ),
      ...short(base64Of(fixture('maxcompute/arrow_streams')), 12).map((bytes) => chosen([3], bytes)),
    ],
    words: [Buffer.from('ffffffff', 'hex'), Buffer.from('ffffffff00000000', 'hex')],
  },
  {
    name: 'maxcompute-coding',
    run: runCoding,
    maxPumpedBytes: 64 * 1024,
    seeds: async () => {
      const text = Buffer.from('landfall '.repeat(30));
      const lz4 = await collected(packContent(inChunks(text), Compression.LZ4_FRAME));
      const zstd = zstdCompressSync(text);
      const packed = [text, lz4, zstd, gzipSync(text), deflateSync(text)];
      return [...packed.map((bytes, at) => chosen([at, 30], bytes)), chosen([2, 9], Buffer.concat([zstd, zstd]))];
    },
    words: [Buffer.from('04224d18', 'hex'), Buffer.from('28b52ffd', 'hex'), Buffer.from('502a4d18', 'hex')],
  },
  {
    name: 'maxcompute-blobs',
    run: runBlobs,
    maxPumpedBytes: 64 * 1024,
    seeds: () =>
      short(base64Of(fixture<BlobStreams>('maxcompute/blob_download_streams')), 24).flatMap((bytes) => [
        chosen([1, 2, 100], bytes),
        chosen([0, 3, 1], bytes),
        chosen([1, 1, 7], bytes),
      ]),
    words: ['{}', '{"ContentType":"a","CustomFileName":"b"}', Buffer.alloc(8)],
  },
  {
    name: 'dis-protobuf',
    run: runProtobuf,
    seeds: () => {
      const examples = [...hexOf(fixture('dis/protobuf')), ...base64Of(fixture('dis/protobuf'))];
      return short(examples, 30).flatMap((bytes) => [chosen([0], bytes), chosen([1], bytes)]);
    },
    words: [Buffer.from('8201', 'hex'), Buffer.from('9201', 'hex'), Buffer.from('b201', 'hex'), '123'],
  },
  {
    name: 'dis-csv',
    run: runDisCsv,
    seeds: () => [
      'data,partition_key,timestamp\r\na,"b ""c""\n",5\r\n"",,\n',
      '\ufeffdata\nx\n\n',
      'data,partition_id\na\n"',
    ],
    words: ['""', '","', '\r\n', ',,', 'explicit_hash_key'],
  },
  {
    name: 'dap-records',
    run: runDapRecords,
    seeds: () => [
      chosen([0], '{"key":{"id":"1"},"value":{"a":12345678901234567890},"meta":{"ts":"x"}}\n\n{"key":{}}'),
      chosen([1], 'key.id\tvalue.a\tmeta.ts\n1\t\\N\ta\\tb\\\\\n'),
      chosen([2], 'key.id,value.a,meta.ts\r\n1,NULL,"a ""b""\n"\r\n2,"",x'),
    ],
    words: ['\\N', 'NULL', '""', '\r\n', '\\b', '{"key":{', '__proto__', '\ud83d'],
  },
  {
    name: 'maxcompute-values',
    run: runValues,
    seeds: () => [
      chosen(
        [0],
        '<?xml version="1.0"?><!-- c --><Error a="1" b=\'2\'><Code>N&amp;&#x41;</Code><M/><![CDATA[x]]></Error>',
      ),
      chosen([1], "map<string,array<struct<`a b`:decimal(10,2),c:varchar(5) not null comment 'x'>>>"),
      chosen([1], 'vector<float,16>'),
      chosen([2], '-12.5000'),
      chosen([3], '2025-11-20 08:00:00.123456789'),
    ],
    words: ['<!--', '-->', '<![CDATA[', ']]>', '<!DOCTYPE a>', 'a="', "='", 'struct<a:', "comment '", '0.'],
  },
];
