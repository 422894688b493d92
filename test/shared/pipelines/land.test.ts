import { describe, expect, it } from 'vitest';
import { code } from '../../../shared/connectors/code/code.ts';
import { definedIn, definePipeline, type LandOptions, type PipelineOptions } from '../../../shared/pipelines/define.ts';

const bytes = code({ version: '1', context: () => '', listObjects: () => [], readBytes: () => '' });
const records = code({ version: '1', context: () => '', listObjects: () => [], readRecords: () => [] });
const CSV = { format: 'csv' } as const;

const pipeline = (land: LandOptions, source: PipelineOptions['source'] = bytes, more: Partial<PipelineOptions> = {}) =>
  definePipeline({ name: 'p', source, land, ...more });

describe('land', () => {
  it.each<[string, LandOptions, object]>([
    ['nothing', {}, { format: 'raw', compression: 'none' }],
    ['raw, compressed', { compression: 'zstd' }, { format: 'raw', compression: 'zstd' }],
    [
      'a format',
      { format: 'parquet', parser: CSV },
      { compression: 'none', file: { format: 'parquet', compression: 'snappy', lineage: true } },
    ],
    [
      'compression within a file',
      { format: 'avro', parser: CSV, compression: 'zstd' },
      { compression: 'none', file: { compression: 'zstd' } },
    ],
    [
      'compression around a text',
      { format: 'csv', parser: CSV, compression: 'gzip', delimiter: ';', lineage: false },
      { compression: 'gzip', file: { compression: 'gzip', delimiter: ';', lineage: false } },
    ],
  ])('takes %s', (_what, land, expected) => {
    expect(pipeline(land).land).toMatchObject(expected);
  });

  it('is newline-delimited JSON for a source of records', () => {
    expect(pipeline({}, records).land).toMatchObject({ format: 'ndjson', file: { format: 'ndjson' } });
  });

  it.each<[LandOptions, string, PipelineOptions['source']?, Partial<PipelineOptions>?]>([
    [{ format: 'xml' } as never, '"land.format" must be one of'],
    [{ format: 'parquet' }, '"land.parser" is required with "land.format": "parquet"'],
    [{ format: 'csv', parser: CSV, omitNulls: true }, '"omitNulls" is an option of ndjson'],
    [{ format: 'csv', parser: CSV, compression: 'snappy' }, '"compression" must be one of'],
    [{ lineage: true }, '"land.lineage" need "land.format"'],
    [{ compression: 'snappy' }, '"land.compression" must be "none", "gzip" or "zstd"'],
    [{ format: 'csv', parser: { ...CSV, onMismatch: 'widen' } }, '"land.parser.onMismatch" must not be "widen"'],
    [{ format: 'csv', parser: CSV }, '"longReads" must not be "cursor"', bytes, { longReads: 'cursor' }],
    [{ format: 'raw' }, '"land.format" must not be "raw": the source yields records', records],
    [{ parser: CSV }, '"land.parser" is for bytes', records],
    [{ key: '../x' }, '"land.key" must be'],
  ])('refuses %j', (land, says, source, more) => {
    expect(() => pipeline(land, source, more)).toThrow(says);
  });

  it('identifies the bytes: format, its options, and the parser, but not what only readers use', () => {
    const versions = (land: LandOptions) => pipeline(land).versions;
    const all = [
      versions({}),
      versions({ format: 'csv', parser: CSV }),
      versions({ format: 'ndjson', parser: CSV }),
      versions({ format: 'ndjson', parser: { ...CSV, delimiter: ';' } }),
      versions({ format: 'ndjson', parser: CSV, omitNulls: true }),
      versions({ format: 'ndjson', parser: CSV, lineage: false }),
      versions({ format: 'ndjson', parser: CSV, compression: 'gzip' }),
    ];

    expect(new Set(all).size).toBe(all.length);
    expect(versions({ parser: CSV })).toBe(versions({}));
    expect(versions({ format: 'csv', parser: CSV, key: 'x/{path}' })).toBe(all[1]);
  });

  it("identifies a parser's own code by the pipeline's file, as bundlers change its text", () => {
    const parse = (text: string) => new Function('reader', 'emit', `return ${text}`) as never;
    const of = (text: string, file?: string) => {
      const made = pipeline({ format: 'ndjson', parser: { format: 'custom', parse: parse(text) } });
      return file === undefined ? made.versions : definedIn(made, file).versions;
    };

    expect(of('1')).not.toBe(of('2'));
    expect(of('1', 'sha')).toBe(of('2', 'sha'));
    expect(of('1', 'sha')).not.toBe(of('1', 'another'));
  });

  it('reads records again when they are typed otherwise', () => {
    const typed = (typing: object) =>
      code({ version: '1', context: () => '', listObjects: () => [], readRecords: () => [], typing });

    expect(pipeline({}, typed({ schema: [] })).versions).not.toBe(pipeline({}, records).versions);
  });
});
