import type { ParserFormat } from './formats.ts';

const PACKED = /\.(?:gz|gzip|zst|zstd|bz2|zip)$/i;

const FORMATS: Readonly<Record<string, ParserFormat>> = {
  csv: 'csv',
  tsv: 'tsv',
  tab: 'tsv',
  json: 'json',
  geojson: 'json',
  ndjson: 'ndjson',
  jsonl: 'ndjson',
  parquet: 'parquet',
  avro: 'avro',
  arrows: 'arrow',
  xlsx: 'excel',
  xlsm: 'excel',
  txt: 'text',
  log: 'text',
};

/** The format that a name ends in, what it is packed with aside: `rows.csv.gz` is csv. */
export function formatOfName(name: string): ParserFormat | undefined {
  const extension = /\.([A-Za-z]+)$/.exec(name.replace(PACKED, ''))?.[1]?.toLowerCase();
  return extension === undefined || !Object.hasOwn(FORMATS, extension) ? undefined : FORMATS[extension];
}
