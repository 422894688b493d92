import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { RecordBatch } from 'apache-arrow';
import { Command } from 'commander';
import type { WriteSession, WriteStream } from '../../../shared/clients/maxcompute/index.ts';
import { InvalidInputError } from '../../../shared/core/errors.ts';
import { type Act, examples } from '../../act.ts';
import { EXIT } from '../../errors.ts';
import { countText, printable } from '../../text.ts';
import { openAccess } from './access.ts';
import type { MaxComputeOptions } from './options.ts';
import { rowOfJson } from './values.ts';

interface UploadOptions extends MaxComputeOptions {
  readonly partition?: string;
  readonly overwrite?: boolean;
}

/** A stream whose answer was lost is written again, as its next version, so often. */
const VERSIONS_MAX = 3;

export const uploadCommand = (act: Act): Command =>
  new Command('upload')
    .description('write files into a table: Arrow (streams and files) and lines of JSON; all of them, or none')
    .argument('<table>', 'its name')
    .argument('<files...>', '.arrows, .arrow or .ndjson')
    .option('--partition <spec>', 'the partition they go into, such as pt=1,region=a')
    .option('--overwrite', 'in the place of what is there')
    .addHelpText(
      'after',
      examples(
        'maxcompute upload orders downloads/orders/*.arrows',
        'maxcompute upload sales sales.ndjson --partition day=2026-01-05 --overwrite',
      ),
    )
    .action(
      act<[string, string[]], UploadOptions>(async (session, [name, files], options) => {
        const kinds = await Promise.all(files.map(kindOf));
        const { client, signal } = await openAccess(session, options);
        const { partition = '', overwrite } = options;
        const request = { partialPartitionSpec: partition, ...(overwrite ? { flags: { overwrite: true } } : {}) };
        const upload = await client.table(name).openWriteSession(request, { signal });
        const written: { file: string; rows: number }[] = [];
        try {
          for (const [at, file] of files.entries())
            written.push({ file, rows: await uploadFile(upload, `file-${at}`, file, kinds[at]!, signal) });
          await upload.commit(undefined, { signal });
        } catch (error) {
          await discard(upload);
          throw error;
        }
        if (session.json) {
          for (const one of written) await session.printJson({ table: name, ...one });
          return EXIT.done;
        }
        const rows = written.reduce((sum, one) => sum + one.rows, 0);
        await session.print(
          `${printable(name)}  ${countText(rows)} rows of ${countText(files.length)} files committed\n`,
        );
        return EXIT.done;
      }),
    );

type Kind = 'stream' | 'file' | 'ndjson';

/** By its name, and for Arrow by its first bytes. */
async function kindOf(file: string): Promise<Kind> {
  const isLines = /\.(ndjson|jsonl)$/i.test(file);
  if (!isLines && !/\.(arrows?|ipc|feather)$/i.test(file))
    throw new InvalidInputError(`${file}: a file must be .arrows, .arrow or .ndjson`);
  const handle = await open(file).catch((cause: unknown) => {
    throw new InvalidInputError(`${file} cannot be read`, { cause });
  });
  try {
    if (isLines) return 'ndjson';
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(6), 0, 6, 0);
    return buffer.subarray(0, bytesRead).toString('latin1') === 'ARROW1' ? 'file' : 'stream';
  } finally {
    await handle.close();
  }
}

async function uploadFile(
  upload: WriteSession,
  streamId: string,
  file: string,
  kind: Kind,
  signal: AbortSignal,
): Promise<number> {
  const { WriteOutcomeUnknownError } = await import('../../../shared/clients/maxcompute/index.ts');
  for (let streamVersion = 1; ; streamVersion++) {
    const stream = await upload.openStream({ streamId, streamVersion, signal });
    try {
      if (kind === 'stream') await stream.writeArrow(createReadStream(file), { signal });
      else await stream.writeBatches(kind === 'file' ? batchesOfFile(file) : batchesOfLines(file, stream), { signal });
      const rows = stream.rowOffset;
      await stream.close({ signal });
      return rows;
    } catch (error) {
      stream.discard();
      if (!(error instanceof WriteOutcomeUnknownError) || streamVersion >= VERSIONS_MAX) throw error;
    }
  }
}

async function* batchesOfFile(file: string): AsyncGenerator<RecordBatch> {
  const { RecordBatchReader } = await import('apache-arrow');
  const reader = await RecordBatchReader.from(createReadStream(file));
  for await (const batch of reader) yield batch;
}

const LINES_AT_ONCE = 4096;

async function* batchesOfLines(file: string, { schema }: WriteStream): AsyncGenerator<RecordBatch> {
  const { arrowSchemaOf, batchOfRows } = await import('../../../shared/clients/maxcompute/index.ts');
  if (!schema) throw new InvalidInputError(`${file}: the service does not tell the columns of the table`);
  const arrowSchema = await arrowSchemaOf(schema);
  let rows: ReturnType<typeof rowOfJson>[] = [];
  let line = 0;
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    line += 1;
    if (text.trim() === '') continue;
    rows.push(rowOfJson(text, [...schema.dataColumns, ...schema.systemColumns], line));
    if (rows.length < LINES_AT_ONCE) continue;
    yield await batchOfRows(arrowSchema, rows);
    rows = [];
  }
  if (rows.length > 0) yield await batchOfRows(arrowSchema, rows);
}

/** Nothing of a session that failed is to be seen, and it need not stay open; that is tried, no more. */
export async function discard(upload: WriteSession): Promise<void> {
  await upload.abort().catch(() => {});
}
