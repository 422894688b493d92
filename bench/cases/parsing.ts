import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { newParser, type ParserOptions } from '../../shared/parsers/formats.ts';
import { type BenchCase, type Figures, findCommand, type Peer, peakRssMib, runCommand, timed } from '../measure.ts';

const ROWS = 1_000_000;
const CSV = 'rows.csv';
const NDJSON = 'rows.ndjson';
const NAMES = ['id', 'name', 'price', 'active', 'created_at', 'city'];
const CHUNK_BYTES = 256 * 1024;

/** Rows like those of a shop: numbers, text, a fifth of it quoted, a boolean and a timestamp. */
async function prepare(folder: string): Promise<Figures> {
  const csv = function* () {
    yield `${NAMES.join(',')}\n`;
    for (let row = 0; row < ROWS; row++) yield `${cellsOf(row).map(quoted).join(',')}\n`;
  };
  const ndjson = function* () {
    for (let row = 0; row < ROWS; row++) {
      const [, name, price, , at, city] = cellsOf(row);
      const rest = JSON.stringify({ name, price: Number(price), active: row % 2 === 0, created_at: at, city });
      yield `{"id":${90_730_000_000_000_000n + BigInt(row)},${rest.slice(1)}\n`;
    }
  };
  await pipeline(joined(csv()), createWriteStream(join(folder, CSV)));
  await pipeline(joined(ndjson()), createWriteStream(join(folder, NDJSON)));
  return { rows: ROWS };
}

function cellsOf(row: number): string[] {
  const second = String(row % 60).padStart(2, '0');
  const day = String(1 + (row % 28)).padStart(2, '0');
  const city = row % 5 === 0 ? 'Paris, "FR"' : 'London';
  return [
    String(row),
    `name of ${row}`,
    (row * 1.37).toFixed(2),
    String(row % 2 === 0),
    `2024-02-${day}T08:00:${second}Z`,
    city,
  ];
}

const quoted = (text: string) => (/[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** Lines in pieces that are worth a write. */
function* joined(lines: Iterable<string>): Generator<string> {
  let text = '';
  for (const line of lines) {
    text += line;
    if (text.length < CHUNK_BYTES) continue;
    yield text;
    text = '';
  }
  yield text;
}

const file = (folder: string, name: string) => createReadStream(join(folder, name), { highWaterMark: CHUNK_BYTES });

async function ours(folder: string, name: string, options: ParserOptions): Promise<number> {
  const parser = await newParser(options);
  const { seconds, result } = await timed(async () => {
    let rows = 0;
    for await (const batch of parser.parse(file(folder, name), { label: name })) rows += batch.rows.length;
    return rows;
  });
  return perSecond(result, seconds);
}

function perSecond(rows: number, seconds: number): number {
  if (rows !== ROWS) throw new Error(`${rows} rows instead of ${ROWS}`);
  return Math.round(rows / seconds);
}

const texts = NAMES.map((name) => ({ name, type: 'string' }));

/** DuckDB sums every column, so that each value is parsed. */
const duckDb = (name: string, source: string): Peer => ({
  name: `DuckDB, ${name}`,
  async run(folder) {
    const { DuckDBInstance } = await import('@duckdb/node-api');
    const duck = await (await DuckDBInstance.create(':memory:')).connect();
    await duck.run('SET threads = 1');
    const columns = 'count(*), sum(id), max(name), sum(price), max(active), max(created_at), max(city)';
    const { seconds } = await timed(async () =>
      duck.runAndReadAll(`SELECT ${columns} FROM ${source.replace('?', join(folder, name))}`),
    );
    return { rowsPerSecond: perSecond(ROWS, seconds), peakRssMib: peakRssMib() };
  },
});

const python = (what: string, script: string, name: string): Peer => ({
  name: `Python's ${what}`,
  missing: async () => ((await findCommand('python3')) ? undefined : 'python3 is not installed'),
  async run(folder) {
    const program = `import time,sys,${what}\nbegan=time.perf_counter()\nrows=0\n${script}\nprint(rows,time.perf_counter()-began)`;
    const { stdout } = await runCommand('python3', ['-c', program, join(folder, name)]);
    const [rows, seconds] = stdout.trim().split(' ').map(Number);
    return { rowsPerSecond: perSecond(rows!, seconds!) };
  },
});

const CSV_PARSE = 'csv-parse';

export const csvParsing: BenchCase = {
  name: 'csv',
  what: `parsing ${ROWS.toLocaleString('en')} rows of csv to typed values, types inferred`,
  prepared: 'parsing',
  runs: 5,
  targets: [
    { figure: 'timesCsvParse', atLeast: 1.5 },
    { figure: 'peakRssMib', atMost: 300 },
  ],
  notes: [
    'csv-parse and Python give text; textRowsPerSecond is ours with a schema of strings; DuckDB runs on one thread',
  ],
  prepare,
  async measure(folder) {
    const rowsPerSecond = await ours(folder, CSV, { format: 'csv' });
    const peak = peakRssMib();
    return {
      rowsPerSecond,
      peakRssMib: peak,
      textRowsPerSecond: await ours(folder, CSV, { format: 'csv', schema: texts }),
    };
  },
  peers: [
    {
      name: CSV_PARSE,
      async run(folder) {
        const { parse } = await import('csv-parse');
        const { seconds, result } = await timed(async () => {
          let rows = -1;
          const parser = file(folder, CSV).pipe(parse());
          // Faster than `for await` over its records.
          parser.on('readable', () => {
            while (parser.read() !== null) rows += 1;
          });
          await new Promise<void>((resolve, reject) => parser.on('end', resolve).on('error', reject));
          return rows;
        });
        return { rowsPerSecond: perSecond(result, seconds), peakRssMib: peakRssMib() };
      },
    },
    duckDb(CSV, "read_csv('?')"),
    python('csv', "for row in csv.reader(open(sys.argv[1],newline='')): rows+=1\nrows-=1", CSV),
  ],
  compare(own, peers): Figures {
    const peer = peers[CSV_PARSE];
    return peer ? { timesCsvParse: own.rowsPerSecond! / peer.rowsPerSecond! } : {};
  },
};

const JSON_PARSE = 'readline and JSON.parse';

export const ndjsonParsing: BenchCase = {
  name: 'ndjson',
  what: `parsing ${ROWS.toLocaleString('en')} rows of ndjson to typed values, types inferred, identifiers of 17 digits`,
  prepared: 'parsing',
  runs: 5,
  targets: [
    { figure: 'timesJsonParse', atLeast: 0.25 },
    { figure: 'peakRssMib', atMost: 300 },
  ],
  notes: [
    'JSON.parse and Python type and check nothing, and JSON.parse gives wrong identifiers; DuckDB runs on one thread',
  ],
  prepare,
  async measure(folder) {
    return { rowsPerSecond: await ours(folder, NDJSON, { format: 'ndjson' }), peakRssMib: peakRssMib() };
  },
  peers: [
    {
      name: JSON_PARSE,
      async run(folder) {
        const { seconds, result } = await timed(async () => {
          let rows = 0;
          for await (const line of createInterface({ input: file(folder, NDJSON) })) if (JSON.parse(line)) rows += 1;
          return rows;
        });
        return { rowsPerSecond: perSecond(result, seconds), peakRssMib: peakRssMib() };
      },
    },
    duckDb(NDJSON, "read_json('?', format = 'newline_delimited')"),
    python('json', 'for line in open(sys.argv[1]):\n  json.loads(line)\n  rows+=1', NDJSON),
  ],
  compare(own, peers): Figures {
    const peer = peers[JSON_PARSE];
    return peer ? { timesJsonParse: own.rowsPerSecond! / peer.rowsPerSecond! } : {};
  },
};
