import type { ParserOptions } from '../../../shared/parsers/formats.ts';
import { Choices, chosen, type FuzzTarget } from '../target.ts';
import { parseBothWays } from './parse.ts';

const LENIENT = { badRecords: 'quarantine' } as const;
const SCHEMA = [
  { name: 'a', type: 'long' },
  { name: 'b', type: 'decimal(10,2)' },
  { name: 'c', type: 'timestamp' },
  { name: 'd', type: ['array', 'string'] },
];
const TYPED = { schema: SCHEMA.slice(0, 3), onMismatch: 'rescue', ...LENIENT } as const;

const CSV_OPTIONS: readonly ParserOptions[] = [
  { format: 'csv' },
  { format: 'csv', ...LENIENT, multiline: true, raggedRows: 'pad' },
  { format: 'csv', ...LENIENT, multiline: true, escape: '\\', doubleQuote: false, raggedRows: 'truncate' },
  { format: 'csv', dialect: 'dap-csv', ...LENIENT },
  { format: 'tsv', dialect: 'dap-tsv', ...LENIENT },
  { format: 'tsv', dialect: 'copy-text', ...LENIENT },
  { format: 'xsv', delimiter: '||', quote: "'", header: false, commentPrefix: '#', ...LENIENT },
  { format: 'csv', ...TYPED, ignoreLeadingSpace: true, ignoreTrailingSpace: true, nullValues: ['NA'] },
  { format: 'csv', encoding: 'utf-16le', headerLineCount: 2, skipLinesBefore: 1, ...LENIENT },
  { format: 'csv', encoding: 'shift_jis', lineEnding: 'crlf', ...LENIENT },
  { format: 'csv', lineEnding: 'nel', skipLinesAfterHeader: 1, maxRecordBytes: 64, ...LENIENT },
  { format: 'csv', onMismatch: 'widen', sampleRecords: 2, ...LENIENT, maxRecordBytes: 256 },
];

const JSON_OPTIONS: readonly ParserOptions[] = [
  { format: 'json' },
  { format: 'ndjson', ...LENIENT },
  { format: 'json', mode: 'array', ...LENIENT },
  { format: 'json', mode: 'concatenated', ...LENIENT, flatten: true },
  { format: 'json', recordsPath: '/data/0/items', ...LENIENT },
  { format: 'ndjson', dialect: 'dap', ...LENIENT },
  { format: 'ndjson', ...TYPED },
  { format: 'json', flatten: true, namespaceDelimiter: '.', maxDepth: 1000, ...LENIENT },
  { format: 'ndjson', onMismatch: 'widen', sampleRecords: 1, ...LENIENT, bigNumbers: 'number' },
  { format: 'json', maxRecordBytes: 64, ...LENIENT },
  { format: 'ndjson', encoding: 'utf-16be', ...LENIENT },
];

const TEXT_OPTIONS: readonly ParserOptions[] = [
  { format: 'text', ...LENIENT },
  { format: 'text', wholeFile: true, maxRecordBytes: 1000, ...LENIENT },
  { format: 'grok', pattern: 'combined', ...LENIENT },
  { format: 'grok', pattern: 'common', onNoMatch: 'skip' },
  {
    format: 'grok',
    pattern: '%{TIMESTAMP_ISO8601:at:timestamp} %{LOGLEVEL:level} %{GREEDYDATA:text}',
    multilineStart: '^\\d{4}-',
    ...LENIENT,
  },
  { format: 'grok', pattern: '%{IPORHOST:host} %{URI:uri} %{QS:agent} %{NUMBER:n:double}', ...LENIENT },
  { format: 'raw' },
];

const run = (options: readonly ParserOptions[]) => (data: Uint8Array) => {
  const choices = new Choices(data);
  return parseBothWays(choices.pick(options), choices.rest());
};

const each = (options: readonly ParserOptions[], texts: readonly string[]) =>
  options.flatMap((_, at) => texts.map((text) => chosen([at], text)));

const DAP_JSON = '{"key":{"id":"1"},"value":{"a":1,"b":null},"meta":{"ts":"2024-01-01T00:00:00Z","action":"U"}}\n';
const COMBINED =
  '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a.gif HTTP/1.0" 200 2326 "http://a.example/" "Mozilla/4.08"\n';

export const targets: readonly FuzzTarget[] = [
  {
    name: 'parse-csv',
    run: run(CSV_OPTIONS),
    seeds: () =>
      each(CSV_OPTIONS, [
        'a,b,c\n1,2.5,2024-01-01T00:00:00Z\n,"x ""y""\n",NULL\n',
        'key.id\tvalue.a\tmeta.ts\n1\t\\N\t2024-01-01 00:00:00.123\n\\\\\\n\tx\ty\n',
        "\ufeffa||b\r\n#c\r\n'q'''||99999999999999999999\r\n1e5||2024-02-30\r\n",
      ]),
    words: [
      '\r\n',
      '""',
      '\\N',
      '\\.',
      '\ufeff',
      '||',
      "''",
      '\u0085',
      '12:34:56+01:00',
      '2024-12-31',
      'true',
      '\\x41',
    ],
  },
  {
    name: 'parse-json',
    run: run(JSON_OPTIONS),
    seeds: () =>
      each(JSON_OPTIONS, [
        '[{"a":1,"b":[1,{"c":"x"}]},{"a":12345678901234567890,"d":{"e":1.5}}]',
        '{"a":true}\n{"a":null,"__proto__":{"x":1}}\n\n{"a":"2024-01-01T00:00:00Z"}',
        '{"data":[{"items":[{"a":1},[2],"3"]}],"more":"]}"}',
        DAP_JSON,
      ]),
    words: ['{"a":', '[[', ']}', '"\\u0000"', '\\ud800', '\x1e', '"__proto__":', '"constructor":', '1e999', '\\\\"'],
  },
  {
    name: 'parse-text',
    run: run(TEXT_OPTIONS),
    seeds: () =>
      each(TEXT_OPTIONS, [
        COMBINED,
        '2024-01-01T00:00:00Z WARN a\n  b\n',
        'a.example http://b.example/c?d=e "x" 1.5\n',
      ]),
    words: [
      '\r',
      '[10/Oct/2000:13:55:36 -0700]',
      '"GET / HTTP/1.1"',
      '::1',
      '127.0.0.1',
      '\\"',
      'http://',
      '..',
      '-',
      'a.a.',
    ],
    maxMs: 3000,
  },
];
