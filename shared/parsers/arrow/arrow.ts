import { decompress } from '../input/decompress.ts';
import { type CommonOptions, checkParserOptions } from '../options.ts';
import type { Parser } from '../parser.ts';
import { typedRecords } from '../typing/typed-records.ts';

/** None of its own: an Arrow stream tells its columns itself. */
export type ArrowOptions = Readonly<Record<never, never>>;

/**
 * Streams of Arrow record batches (`.arrows`), buffers packed with zstd or LZ4 included. One batch is held at a time.
 *
 * @throws {InvalidInputError} wrong options
 */
export function arrowParser(options: ArrowOptions & CommonOptions): Parser {
  const { common } = checkParserOptions<ArrowOptions>('arrow', options, {});
  return {
    format: 'arrow',
    parse: (chunks, run) =>
      typedRecords({ settings: common }, run, async function* (counters) {
        const { readArrow } = await import('./read.ts');
        yield* readArrow(decompress(chunks, common, run, counters), run);
      }),
  };
}
