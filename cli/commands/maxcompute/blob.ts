import { createWriteStream } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { Command } from 'commander';
import type { BlobReader } from '../../../shared/clients/maxcompute/index.ts';
import { InvalidInputError } from '../../../shared/core/errors.ts';
import { type Act, examples } from '../../act.ts';
import { EXIT } from '../../errors.ts';
import type { Session } from '../../session.ts';
import { bytesText, printable } from '../../text.ts';
import { openAccess } from './access.ts';
import type { MaxComputeOptions } from './options.ts';
import { discard } from './upload.ts';
import { rowOfJson } from './values.ts';

interface PutOptions extends MaxComputeOptions {
  readonly column?: string;
  readonly row: string;
  readonly partition?: string;
}

interface GetOptions extends MaxComputeOptions {
  readonly output?: string;
}

export const blobCommand = (act: Act): Command =>
  new Command('blob')
    .description('files in columns of the type blob')
    .addCommand(putCommand(act))
    .addCommand(getCommand(act));

const putCommand = (act: Act): Command =>
  new Command('put')
    .description('write a row with a file as its blob')
    .argument('<table>', 'its name')
    .argument('<file>', 'what the blob holds')
    .option('--column <name>', 'which one, if the table has several blob columns')
    .option('--row <json>', 'the other columns', '{}')
    .option('--partition <spec>', 'the partition that the row goes into')
    .addHelpText(
      'after',
      examples(
        `maxcompute blob put pictures cat.jpg --row '{"id": 1, "name": "cat"}'`,
        `maxcompute blob put files report.pdf --column content --partition day=2026-01-05`,
      ),
    )
    .action(
      act<[string, string], PutOptions>(async (session, [name, file], options) => {
        const bytes = await readFile(file).catch((cause: unknown) => {
          throw new InvalidInputError(`${file} cannot be read`, { cause });
        });
        const { client, signal } = await openAccess(session, options);
        const { arrowSchemaOf, batchOfRows } = await import('../../../shared/clients/maxcompute/index.ts');
        const { column: wanted, row: json, partition = '' } = options;
        const table = client.table(name);
        const upload = await table.openWriteSession({ partialPartitionSpec: partition }, { signal });
        try {
          const stream = await upload.openStream({ streamId: 'blob', signal });
          const columns = stream.schema?.dataColumns ?? [];
          const blobs = columns.filter(({ typeName }) => typeName === 'blob');
          const column =
            wanted === undefined && blobs.length === 1 ? blobs[0] : blobs.find((one) => one.name === wanted);
          if (!column) throw new InvalidInputError(noColumn(name, wanted, blobs));
          const others = rowOfJson(
            json,
            columns.filter((one) => one !== column),
            1,
          );
          const { blobReference } = await table.writeBlobStream(
            {
              sessionId: upload.id,
              ...stream.state,
              columnIndex: column.columnId,
              partitionValues: partition === '' ? [] : partition.split(','),
            },
            bytes,
            { signal },
          );
          const row = { ...others, [column.name]: new Uint8Array(Buffer.from(blobReference!, 'base64')) };
          await stream.writeBatches([await batchOfRows(await arrowSchemaOf(stream.schema!), [row])], { signal });
          await stream.close({ signal });
          await upload.commit(undefined, { signal });
          if (session.json) await session.printJson({ table: name, column: column.name, file, bytes: bytes.length });
          else
            await session.print(`${printable(name)}.${printable(column.name)}  ${bytesText(bytes.length)}  ${file}\n`);
          return EXIT.done;
        } catch (error) {
          await discard(upload);
          throw error;
        }
      }),
    );

function noColumn(table: string, wanted: string | undefined, blobs: readonly { readonly name: string }[]): string {
  const names = blobs.map(({ name }) => name).join(', ');
  if (blobs.length === 0) return `table ${table} has no column of the type blob`;
  return wanted === undefined
    ? `table ${table} has several blob columns; say which one with --column: ${names}`
    : `${wanted} is no blob column of table ${table}; there is ${names}`;
}

const getCommand = (act: Act): Command =>
  new Command('get')
    .description('save a blob, by the reference that its row holds (preview and download show it; put does not)')
    .argument('<reference>', 'as the row has it')
    .option('--output <file>', 'where it goes (default: standard output)')
    .addHelpText(
      'after',
      examples('maxcompute blob get AbC123… --output cat.jpg', 'maxcompute blob get AbC123… > cat.jpg'),
    )
    .action(
      act<[string], GetOptions>(async (session, [reference], { output, ...options }) => {
        const { client, signal } = await openAccess(session, options);
        // Blobs are read without a table; the client's door to them is one.
        const reader = await client.table('blob').readBlobs({ blobReferences: [reference] }, { signal });
        if (output === undefined) {
          for await (const chunk of chunksOf(reader)) await session.io.stdout.write(chunk);
          return EXIT.done;
        }
        await save(reader, output, session, signal);
        return EXIT.done;
      }),
    );

async function save(reader: BlobReader, output: string, session: Session, signal: AbortSignal): Promise<void> {
  const partial = `${output}.part`;
  let bytes = 0;
  const counted = async function* () {
    for await (const chunk of chunksOf(reader)) {
      bytes += chunk.length;
      yield chunk;
    }
  };
  try {
    await pipeline(counted(), createWriteStream(partial), { signal });
    await rename(partial, output);
  } catch (error) {
    await rm(partial, { force: true });
    throw signal.aborted ? signal.reason : error;
  }
  if (session.json) await session.printJson({ file: output, bytes });
  else await session.print(`${output}  ${bytesText(bytes)}\n`);
}

/** The one blob, as it comes. */
async function* chunksOf(reader: BlobReader): AsyncGenerator<Uint8Array> {
  while (await reader.next()) yield* reader.chunks();
}
