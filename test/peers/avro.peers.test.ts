import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AvroSchemas } from '../../shared/formats/avro-schema.ts';
import { newRecordWriter } from '../../shared/formats/formats.ts';
import { type Row, type Schema, schemaFromJson } from '../../shared/records/schema.ts';
import { memoryFiles } from '../support/byte-sinks.ts';
import { table } from '../support/record-arbitraries.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'landfall-avro-'));
});
afterAll(() => rm(folder, { recursive: true }));

const COMPRESSIONS = ['none', 'gzip', 'zstd'] as const;

async function written(schema: Schema, rows: readonly Row[], at: number): Promise<string> {
  const { files, open } = memoryFiles();
  const compression = COMPRESSIONS[at % COMPRESSIONS.length]!;
  const writer = newRecordWriter({ format: 'avro', compression, lineage: false }, open);
  await writer.write({ schema, rows, firstRow: 0 });
  await writer.close();
  const name = `${at}.avro`;
  await writeFile(join(folder, name), files[0]!.bytes);
  return name;
}

/** The records of each file. */
async function read(what: 'stored' | 'meant', names: readonly string[]): Promise<unknown[][]> {
  const python = process.env.LANDFALL_PEER_AVRO;
  if (!python) throw new Error('LANDFALL_PEER_AVRO is not set: run this by "npm run test:peers"');
  const script = join(import.meta.dirname, 'avro', 'read.py');
  const { stdout } = await promisify(execFile)(python, [script, what, ...names], { cwd: folder, maxBuffer: 2 ** 28 });
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown[]);
}

describe('fastavro', () => {
  it('reads random records as they were encoded, of all types, packed in every way', async () => {
    const tables = fc.sample(
      table.filter(({ rows }) => rows.length > 0),
      { numRuns: 200, seed: 7 },
    );
    const names = await Promise.all(tables.map(({ schema, rows }, at) => written(schema, rows, at)));

    const found = await read('stored', names);

    expect(found).toEqual(tables.map(({ schema, rows }) => encoded(schema, rows)));
  });

  it('takes the logical types for what they are', async () => {
    const schema = schemaFromJson([
      { name: 'id', type: 'long' },
      { name: 'price', type: 'decimal(20,4)' },
      { name: 'day', type: 'date' },
      { name: 'time', type: 'time' },
      { name: 'at', type: 'timestamp' },
      { name: 'local', type: 'local-timestamp' },
      { name: 'text', type: 'string' },
    ]);
    const rows: Row[] = [
      [1n, '-12.5000', '2026-11-20', '23:59:59.999999', '2026-11-20T08:00:00.123456Z', '1969-12-31T23:59:59.5', 'é𝄞'],
      [
        -(2n ** 63n),
        '9999999999999999.9999',
        '0001-01-01',
        '00:00:00',
        '0001-01-01T00:00:00Z',
        '9999-12-31T00:00:00',
        '',
      ],
      [null, null, null, null, null, null, null],
    ];

    const [found] = await read('meant', [await written(schema, rows, 1000)]);

    expect(found).toEqual(
      rows.map((row) =>
        Object.fromEntries(
          schema.columns.map(({ name }, at) => [name, at === 0 && row[0] !== null ? { int: String(row[0]) } : row[at]]),
        ),
      ),
    );
  });
});

/** Records as read.py tells them, from what our own encoders make of the values. */
function encoded(schema: Schema, rows: readonly Row[]): unknown[] {
  const { fields } = new AvroSchemas().record(schema);
  return rows.map((row) =>
    Object.fromEntries(
      fields.map(({ name, schema: type, encode }, at) => {
        const value = row[at]!;
        return [name, value === null ? null : plain(type, encode(value))];
      }),
    ),
  );
}

/** In hexadecimal, as not every language writes a number out alike. */
function bitsOf(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  const bits = Buffer.alloc(8);
  bits.writeDoubleBE(value);
  return bits.toString('hex');
}

type Avro =
  | string
  | readonly Avro[]
  | {
      readonly type: Avro;
      readonly items?: Avro;
      readonly values?: Avro;
      readonly fields?: readonly { name: string; type: Avro }[];
    };

function plain(schema: unknown, value: unknown): unknown {
  const type = schema as Avro;
  if (Array.isArray(type)) {
    if (value === null) return null;
    return plain(type[1], Object.values(value as object)[0]);
  }
  if (typeof type === 'object' && 'type' in type) {
    if (type.type === 'array') return (value as unknown[]).map((item) => plain(type.items, item));
    if (type.type === 'map')
      return Object.fromEntries(Object.entries(value as object).map(([key, item]) => [key, plain(type.values, item)]));
    if (type.type === 'record') {
      const members = value as Readonly<Record<string, unknown>>;
      return Object.fromEntries(type.fields!.map((field) => [field.name, plain(field.type, members[field.name])]));
    }
    return plain(type.type, value);
  }
  switch (type) {
    case 'int':
    case 'long':
      return { int: String(value) };
    case 'float':
    case 'double':
      return { double: bitsOf(value as number) };
    case 'bytes':
      return { bytes: Buffer.from(value as Uint8Array).toString('hex') };
    default:
      return value;
  }
}
