import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { tableFromArrays } from 'apache-arrow';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unpack } from '../../shared/clients/dap/gzip.ts';
import { readBuffers } from '../../shared/clients/maxcompute/arrow/flatbuffer.ts';
import { Compression, messagesFrom } from '../../shared/clients/maxcompute/index.ts';
import { newParser, type ParserOptions } from '../../shared/parsers/formats.ts';
import { inChunks } from '../support/byte-sinks.ts';
import { parseAll } from '../support/parsing.ts';
import { zipOf } from '../support/zip.ts';

const MIB = 1024 * 1024;
let temporaryFolder: string;
beforeAll(() => {
  temporaryFolder = mkdtempSync(join(tmpdir(), 'landfall-bombs-'));
});
afterAll(() => rmSync(temporaryFolder, { recursive: true }));

const parse = (options: ParserOptions, input: Uint8Array) => parseAll(options, input, { temporaryFolder });
const FAST = { level: 1 };
const expanded = Buffer.alloc(66 * MIB, `${'x'.repeat(9_999)}\n`);

/** A file of one column, whose only page claims to expand to so many bytes. */
function parquetBomb(claimedBytes: number): Buffer {
  const values = Array.from({ length: 1000 }, () => 'x');
  const file = Buffer.from(
    parquetWriteBuffer({ columnData: [{ name: 'a', data: values, type: 'STRING' }], codec: 'SNAPPY' }),
  );
  // Behind PAR1 stand the page's kind and its size, each as a field's head and a number of seven bits a byte.
  const at = 4 + 3;
  expect([file[4], file[6]]).toEqual([0x15, 0x15]);
  let end = at;
  while (file[end]! >= 128) end++;
  return Buffer.concat([file.subarray(0, at), zigzag(claimedBytes), file.subarray(end + 1)]);
}

function zigzag(value: number): Buffer {
  const bytes: number[] = [];
  let left = value * 2;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) + 128);
  return Buffer.from([...bytes, left]);
}

/** A stream whose first packed buffer claims to expand to so many bytes. */
async function arrowBomb(claimedBytes: bigint): Promise<Buffer> {
  const { batches } = tableFromArrays({ a: new Float64Array(10_000) });
  const parts: Uint8Array[] = [];
  for await (const { kind, chunks } of messagesFrom(batches, Compression.ZSTD)) {
    const whole = Buffer.concat(chunks);
    if (kind === 'batch') {
      const bodyStart = 8 + whole.readInt32LE(4);
      const packed = readBuffers(whole.subarray(8, bodyStart)).find(({ length }) => length > 0)!;
      whole.writeBigInt64LE(claimedBytes, bodyStart + packed.offset);
    }
    parts.push(whole);
  }
  return Buffer.concat(parts);
}

/** A file of records with one text, in one block. */
function avroFile(codec: string, block: Uint8Array, count = 1): Buffer {
  const text = (value: string | Uint8Array) => Buffer.concat([zigzag(value.length), Buffer.from(value as string)]);
  const schema = '{"type":"record","name":"r","fields":[{"name":"a","type":"string"}]}';
  const meta = [zigzag(2), text('avro.schema'), text(schema), text('avro.codec'), text(codec), zigzag(0)];
  const sync = Buffer.alloc(16, 7);
  return Buffer.concat([Buffer.from('Obj\x01'), ...meta, sync, zigzag(count), text(block), sync]);
}

describe('a compressed bomb is refused by name', { timeout: 60_000 }, () => {
  it.each<[string, ParserOptions, () => Uint8Array | Promise<Uint8Array>]>([
    ['gzip', { format: 'csv', maxExpansionRatio: 100 }, () => gzipSync(expanded, FAST)],
    ['zstd, far beyond what gzip can', { format: 'csv' }, () => zstdCompressSync(expanded)],
    ['deflate', { format: 'csv', compression: 'deflate', maxExpansionRatio: 100 }, () => deflateSync(expanded, FAST)],
    ['a file in a zip', { format: 'csv', maxExpansionRatio: 100 }, () => zipOf({ a: expanded })],
    [
      'one that is small, but larger than allowed',
      { format: 'csv', maxExpandedBytes: MIB },
      () => gzipSync(expanded, FAST),
    ],
    ['a part of a workbook', { format: 'excel' }, () => workbookBomb()],
    ['a page of Parquet', { format: 'parquet' }, () => parquetBomb(300 * MIB)],
    ['a buffer of Arrow', { format: 'arrow' }, () => arrowBomb(600n * BigInt(MIB))],
    ['a buffer of Arrow beyond any memory', { format: 'arrow' }, () => arrowBomb(2n ** 52n)],
    ['a block of Avro', { format: 'avro' }, () => avroFile('deflate', deflateRawSync(Buffer.alloc(260 * MIB), FAST))],
  ])('%s', async (_what, options, input) => {
    const refused = parse(options, await input());

    await expect(refused).rejects.toMatchObject({ name: 'ExpansionLimitError', retryable: false });
  });

  it('as a download of DAP that is unpacked on its way', async () => {
    const bomb = gzipSync(Buffer.alloc(66 * MIB));
    const read = async () => {
      for await (const _chunk of unpack(inChunks(bomb), 'part-0')) {
        // counted by what is under test
      }
    };

    await expect(read()).rejects.toMatchObject({
      name: 'DownloadCorruptError',
      message: expect.stringContaining('1000 times'),
    });
  });
});

describe('what expands within its limits', { timeout: 60_000 }, () => {
  it('is never held whole', async () => {
    const input = gzipSync(Buffer.alloc(120 * MIB, `${'x'.repeat(9999)}\n`), FAST);
    const parser = await newParser({ format: 'csv', header: false, maxExpansionRatio: 1e6 });
    const before = process.memoryUsage();
    let most = 0;
    let rows = 0;

    for await (const batch of parser.parse(inChunks(input, 4096), { label: 'the input' })) {
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      most = Math.max(most, heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers);
      rows += batch.rows.length;
    }

    expect(rows).toBe(Math.ceil((120 * MIB) / 10_000));
    expect(most).toBeLessThan(80 * MIB);
  });
});

it('a codec that an Avro file names after a member of every object is not read', async () => {
  for (const codec of ['constructor', '__proto__', 'toString']) {
    await expect(parse({ format: 'avro' }, avroFile(codec, new Uint8Array(2)))).rejects.toMatchObject({
      code: 'UnsupportedInput',
    });
  }
});

function workbookBomb(): Buffer {
  const relations = (type: string, target: string) =>
    `<Relationships><Relationship Id="r1" Type="x/${type}" Target="${target}"/></Relationships>`;
  return zipOf({
    '_rels/.rels': relations('officeDocument', 'xl/workbook.xml'),
    'xl/workbook.xml': '<workbook xmlns:r="r"><sheets><sheet name="a" r:id="r1"/></sheets></workbook>',
    'xl/_rels/workbook.xml.rels': relations('worksheet', 'sheet1.xml'),
    'xl/sheet1.xml': Buffer.alloc(66 * MIB, ' '),
  });
}
