import { Command } from 'commander';
import { previewPartition } from '../../shared/operations/preview.ts';
import { type Act, examples } from '../act.ts';
import { EXIT } from '../errors.ts';
import { byteCount, wholeNumber } from '../options.ts';
import { pipelineNamed } from '../pipelines.ts';
import type { Session } from '../session.ts';
import { hexText, textOf } from '../text.ts';
import { previewRows, type RowsOptions } from './preview-rows.ts';

const DEFAULT_BYTES = 1024;

interface PreviewOptions extends RowsOptions {
  readonly bytes?: number;
}

export const previewCommand = (act: Act): Command =>
  new Command('preview')
    .description('print the first bytes, or typed rows, of a partition as its source yields them; lands nothing')
    .argument('<pipeline>', 'name of the pipeline')
    .argument('<partition>', 'path of the partition, as landfall partitions shows it')
    .option('--bytes <size>', 'at most so many, such as 500 or 4K (default 1K)', byteCount)
    .option('--rows <rows>', 'parse it, and print so many typed rows', wholeNumber(1))
    .option('--format <format>', 'of the rows (default: what the name ends in)')
    .option('--options <json>', 'of the parser, such as {"delimiter":";"}')
    .addHelpText(
      'after',
      examples(
        'preview vega-files airports.csv',
        'preview vega-files movies.json --rows 5',
        'preview calendar 2024/02 --bytes 100',
      ),
    )
    .action(
      act<[string, string], PreviewOptions>(
        async (session, [name, path], { bytes = DEFAULT_BYTES, rows, format, options }) => {
          const { deps } = await session.open();
          const pipeline = await pipelineNamed(name, deps);
          if (rows !== undefined || format !== undefined || options !== undefined) {
            const asked = { ...(rows && { rows }), ...(format && { format }), ...(options && { options }) };
            await previewRows(session, pipeline, path, asked, deps);
            return EXIT.done;
          }
          const pieces: Uint8Array[] = [];
          let read = 0;
          for await (const chunk of previewPartition(pipeline, path, deps, session.deadline())) {
            pieces.push(chunk);
            read += chunk.length;
            if (read > bytes) break;
          }
          const data = Buffer.concat(pieces).subarray(0, bytes);
          await show(data, read > bytes, { pipeline: name, path }, session);
          return EXIT.done;
        },
      ),
    );

/** As it is for a program; for a terminal only if it is text. */
async function show(
  data: Buffer,
  more: boolean,
  what: { readonly pipeline: string; readonly path: string },
  session: Session,
): Promise<void> {
  const text = textOf(data);
  if (session.json) {
    const content = text === undefined ? { base64: data.toString('base64') } : { text };
    return session.printJson({ ...what, bytes: data.length, more, ...content });
  }
  if (!session.io.stdout.isTerminal) return session.print(data);
  await session.print(text ?? hexText(data));
  if (text !== undefined && !text.endsWith('\n')) await session.print('\n');
  if (more) await session.note(`… the first ${data.length} bytes; --bytes shows more`);
}
