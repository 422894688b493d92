import { readFileSync } from 'node:fs';
import type { ParserOptions } from '../../../shared/parsers/formats.ts';
import { arrowStream, zipOf } from '../samples.ts';
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

const PARTS = ['xl/worksheets/sheet1.xml', 'xl/sharedStrings.xml', 'xl/styles.xml', 'xl/workbook.xml'] as const;
const RELATION = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
const WORKBOOK: Readonly<Record<string, string>> = {
  'xl/workbook.xml': '<workbook xmlns:r="r"><sheets><sheet name="a" r:id="r1"/></sheets></workbook>',
  'xl/_rels/workbook.xml.rels': `<Relationships><Relationship Id="r1" Type="${RELATION}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="${RELATION}/sharedStrings" Target="sharedStrings.xml"/><Relationship Id="r3" Type="${RELATION}/styles" Target="styles.xml"/></Relationships>`,
  'xl/worksheets/sheet1.xml':
    '<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="inlineStr"><is><t>b_x000A_</t></is></c></row><row r="2"><c r="A2" s="1"><v>45000.5</v></c><c r="C2" t="b"><f>1+1</f><v>1</v></c></row></sheetData><mergeCells><mergeCell ref="A2:B9"/></mergeCells></worksheet>',
  'xl/sharedStrings.xml': '<sst><si><t>a</t><rPh><t>x</t></rPh></si><si><r><t>c</t></r></si></sst>',
  'xl/styles.xml':
    '<styleSheet><numFmts><numFmt numFmtId="164" formatCode="yyyy-mm-dd"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/></cellXfs></styleSheet>',
};

/** A workbook one part of which is the input: what is in a zip file is out of reach of a change to its bytes. */
const excelXml: FuzzTarget = {
  name: 'parse-excel-xml',
  maxMs: 4000,
  maxPumpedBytes: 256 * 1024,
  words: [
    '<row r="',
    '<c r="',
    '</c>',
    '<v>',
    '<mergeCell ref="',
    'XFD1048576',
    ':',
    '&#x0;',
    '&lt;',
    '<![CDATA[',
    't="s"',
  ],
  run(data) {
    const choices = new Choices(data);
    const isFilled = choices.number(2) === 1;
    const part = choices.pick(PARTS);
    const zip = zipOf({ ...WORKBOOK, [part]: choices.rest() });
    const more = isFilled ? ({ allSheets: true, mergedCells: 'fill', formulas: 'text' } as const) : {};
    return parseBothWays({ format: 'excel', ...more, ...LENIENT }, zip, false);
  },
  seeds: () => PARTS.flatMap((part, at) => [chosen([0, at], WORKBOOK[part]!), chosen([1, at], WORKBOOK[part]!)]),
};

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
  excelXml,
];
