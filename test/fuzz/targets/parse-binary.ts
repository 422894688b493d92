import { readFileSync } from 'node:fs';
import type { ParserOptions } from '../../../shared/parsers/formats.ts';
import { arrowStream } from '../samples.ts';
import { Choices, chosen, type FuzzTarget } from '../target.ts';
import { parseBothWays } from './parse.ts';

const LENIENT = { badRecords: 'quarantine' } as const;
const fixture = (name: string) => readFileSync(new URL(`../../fixtures/formats/${name}`, import.meta.url));

function target(
  name: string,
  options: readonly ParserOptions[],
  seeds: () => Promise<readonly Uint8Array[]>,
  more: Pick<FuzzTarget, 'words'> & { readonly comparesPieces?: boolean },
): FuzzTarget {
  const { comparesPieces = true, words = [] } = more;
  return {
    name,
    words,
    maxBytes: 10_000,
    // Each costs files, and the formats do not grow by repeating a piece.
    maxPumpedBytes: 64 * 1024,
    maxMs: 4000,
    run(data) {
      const choices = new Choices(data);
      return parseBothWays(choices.pick(options), choices.rest(), comparesPieces);
    },
    seeds: async () => (await seeds()).flatMap((seed) => options.map((_, at) => chosen([at], seed))),
  };
}

const codecs = ['none', 'snappy', 'gzip', 'zstd', 'brotli', 'lz4'];

export const targets: readonly FuzzTarget[] = [
  target(
    'parse-parquet',
    [
      { format: 'parquet', ...LENIENT },
      { format: 'parquet', flatten: true, int96AsTimestamp: false, ...LENIENT },
    ],
    async () => [...codecs.map((codec) => fixture(`types-${codec}.parquet`)), fixture('int96.parquet')],
    { comparesPieces: false, words: ['PAR1', 'ARROW:schema'] },
  ),
  target(
    'parse-avro',
    [{ format: 'avro', ...LENIENT }],
    async () => ['null', 'deflate', 'snappy', 'zstandard', 'bzip2'].map((codec) => fixture(`orders-${codec}.avro`)),
    {
      words: [
        'Obj\x01',
        'avro.codec',
        'avro.schema',
        '"type":"',
        'record',
        'fixed',
        '"size":',
        'logicalType',
        'decimal',
      ],
    },
  ),
  target(
    'parse-arrow',
    [{ format: 'arrow', ...LENIENT }],
    async () => [await arrowStream('UNCOMPRESSED'), await arrowStream('ZSTD'), await arrowStream('LZ4_FRAME')],
    { words: ['\xff\xff\xff\xff\0\0\0\0'] },
  ),
  target(
    'parse-excel',
    [
      { format: 'excel', ...LENIENT },
      { format: 'excel', allSheets: true, mergedCells: 'fill', formulas: 'text', ...LENIENT },
    ],
    async () => [fixture('orders.xlsx'), fixture('formulas-1904.xlsx')],
    { comparesPieces: false, words: ['PK\x03\x04', 'PK\x01\x02', 'PK\x05\x06', 'xl/workbook.xml'] },
  ),
];
