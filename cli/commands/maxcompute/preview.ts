import { Command } from 'commander';
import { type Act, examples } from '../../act.ts';
import { EXIT } from '../../errors.ts';
import { wholeNumber } from '../../options.ts';
import { oneLine, printable, tableText } from '../../text.ts';
import { openAccess } from './access.ts';
import { list, type MaxComputeOptions } from './options.ts';
import { cellText, jsonOfRow } from './values.ts';

interface PreviewOptions extends MaxComputeOptions {
  readonly limit: number;
  readonly columns?: string[];
  readonly partition?: string;
}

const CELL_MAX_CHARS = 60;

export const previewCommand = (act: Act): Command =>
  new Command('preview')
    .description('show some rows of a table, without opening a session')
    .argument('<table>', 'its name')
    .option('--limit <rows>', 'at most so many', wholeNumber(1, 10_000), 20)
    .option('--columns <names>', 'only these, with commas', list)
    .option('--partition <spec>', 'only of this partition, such as pt=1,region=a')
    .addHelpText(
      'after',
      examples(
        'maxcompute preview orders --limit 5',
        'maxcompute preview sales --partition day=1 --columns id,amount --json',
      ),
    )
    .action(
      act<[string], PreviewOptions>(async (session, [name], { limit, columns, partition, ...options }) => {
        const { client, signal } = await openAccess(session, options);
        const { rowsOfBatch } = await import('../../../shared/clients/maxcompute/index.ts');
        const { stringifyLossless } = await import('../../../shared/core/lossless-json.ts');
        const table = await client.getTable(name, { signal });
        const declared = Object.fromEntries(
          [...table.columns, ...table.partitionKeys].map((column) => [column.name, column.type]),
        );
        let titles: string[] = [];
        const rows: string[][] = [];
        for await (const batch of client.table(name).previewTable({ limit, columns, partition }, { signal })) {
          titles = batch.schema.fields.map((field) => field.name);
          for (const row of await rowsOfBatch(batch, declared)) {
            const json = jsonOfRow(row, declared);
            if (session.json) await session.print(`${stringifyLossless(json)}\n`);
            else rows.push(titles.map((title) => cut(oneLine(cellText(json[title] ?? null)))));
          }
        }
        if (session.json) return EXIT.done;
        if (rows.length === 0) await session.print('There are no rows.\n');
        else
          await session.print(
            tableText(
              titles.map((title) => ({ title: printable(title) })),
              rows,
            ),
          );
        return EXIT.done;
      }),
    );

const cut = (text: string): string => (text.length > CELL_MAX_CHARS ? `${text.slice(0, CELL_MAX_CHARS - 1)}…` : text);
