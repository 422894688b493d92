import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Command, Option } from 'commander';
import type { ReadSession, RowStream, Split } from '../../../shared/clients/maxcompute/index.ts';
import { forEachLimit } from '../../../shared/core/concurrency.ts';
import { type Act, examples } from '../../act.ts';
import { EXIT } from '../../errors.ts';
import { wholeNumber } from '../../options.ts';
import { countText, printable, secondsText } from '../../text.ts';
import { openAccess } from './access.ts';
import { another, list, type MaxComputeOptions } from './options.ts';
import { type Declared, jsonOfRow } from './values.ts';

interface DownloadOptions extends MaxComputeOptions {
  readonly output: string;
  readonly format: 'arrow' | 'ndjson';
  readonly columns?: string[];
  readonly partition?: string[];
  readonly filter?: string;
  readonly splitRows: number;
  readonly compression: 'none' | 'zstd' | 'lz4';
  readonly parallel: number;
}

export const downloadCommand = (act: Act): Command =>
  new Command('download')
    .description('save a table as files, one a split: Arrow streams as the service makes them, or lines of JSON')
    .argument('<table>', 'its name')
    .option('--output <folder>', 'where files go, in a folder of the table’s name', 'downloads')
    .addOption(new Option('--format <format>', 'of the files').choices(['arrow', 'ndjson']).default('arrow'))
    .option('--columns <names>', 'only these, with commas', list)
    .option('--partition <spec>', 'only this partition, such as pt=1,region=a; may be given several times', another)
    .option('--filter <predicate>', 'only rows of which this is true, such as "amount > 10"')
    .option('--split-rows <rows>', 'rows of a file', wholeNumber(1), 1_000_000)
    .addOption(
      new Option('--compression <codec>', 'of what is sent, and inside Arrow files')
        .choices(['none', 'zstd', 'lz4'])
        .default('none'),
    )
    .option('--parallel <reads>', 'files at a time', wholeNumber(1, 64), 4)
    .addHelpText(
      'after',
      examples(
        'maxcompute download orders',
        'maxcompute download sales --partition day=2026-01-05 --filter "amount > 10" --format ndjson --output out',
      ),
    )
    .action(
      act<[string], DownloadOptions>(async (session, [name], options) => {
        const { client, signal } = await openAccess(session, options);
        const { Compression, SplitMode } = await import('../../../shared/clients/maxcompute/index.ts');
        const { splitRows, columns, partition, filter, format, output, parallel } = options;
        const codecs = { none: Compression.UNCOMPRESSED, zstd: Compression.ZSTD, lz4: Compression.LZ4_FRAME };
        const table = await client.getTable(name, { signal });
        const request = {
          splitOptions: { splitMode: SplitMode.ROW_OFFSET, splitNumber: splitRows },
          requiredDataColumns: columns,
          requiredPartitionColumns: table.partitionKeys.map((key) => key.name),
          requiredPartitions: partition,
          filterPredicate: filter,
        };
        const read = await client.table(name).openReadSession(request, { signal });
        const folder = join(output, name);
        await mkdir(folder, { recursive: true });
        const declared = declaredOf(read);
        let [rows, files] = [0, 0];
        const began = performance.now();
        const line = () =>
          `${printable(name)}  ${countText(files)} of ${countText(read.splitsCount)} files, ${countText(rows)} rows, ` +
          `${secondsText(performance.now() - began)} s`;
        const save = async (split: Split) => {
          const file = join(
            folder,
            `split-${String(split.index).padStart(6, '0')}.${format === 'arrow' ? 'arrows' : format}`,
          );
          const stream = read.read(split, { compression: codecs[options.compression], signal });
          await saveWhole(file, format === 'arrow' ? stream.bytes() : linesOf(stream, declared), signal);
          rows += stream.rowCount;
          files += 1;
          if (session.json) await session.printJson({ table: name, file, rows: stream.rowCount });
        };
        await session.showing(
          () => [line()],
          () => forEachLimit([...read.splits()], parallel, save),
        );
        read.checkTotal(rows);
        if (!session.json)
          await session.print(`${printable(name)}  ${countText(rows)} rows  ${countText(files)} files  ${folder}\n`);
        return EXIT.done;
      }),
    );

/** Under its name only once it is whole. */
async function saveWhole(file: string, chunks: AsyncIterable<string | Uint8Array>, signal: AbortSignal): Promise<void> {
  const partial = `${file}.part`;
  try {
    await pipeline(chunks, createWriteStream(partial), { signal });
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw signal.aborted ? signal.reason : error;
  }
}

async function* linesOf(stream: RowStream, declared: Declared): AsyncGenerator<string> {
  const { rowsOfBatch } = await import('../../../shared/clients/maxcompute/index.ts');
  const { stringifyLossless } = await import('../../../shared/core/lossless-json.ts');
  for await (const batch of stream) {
    const rows = await rowsOfBatch(batch, declared);
    yield rows.map((row) => `${stringifyLossless(jsonOfRow(row, declared))}\n`).join('');
  }
}

function declaredOf({ info }: ReadSession): Declared {
  const columns = [...(info.dataSchema?.dataColumns ?? []), ...(info.dataSchema?.partitionColumns ?? [])];
  return Object.fromEntries(columns.map(({ name, type }) => [name ?? '', type]));
}
