import { Command } from 'commander';
import { type Act, examples } from '../../act.ts';
import { EXIT } from '../../errors.ts';
import { printable, tableText } from '../../text.ts';
import { openAccess } from './access.ts';
import type { MaxComputeOptions } from './options.ts';

export const tablesCommand = (act: Act): Command =>
  new Command('tables')
    .description('list the tables of the project, one a line')
    .addHelpText('after', examples('maxcompute tables --project sales', 'maxcompute tables --schema raw --json'))
    .action(
      act<[], MaxComputeOptions>(async (session, _args, options) => {
        const { client, signal } = await openAccess(session, options);
        const rows: string[][] = [];
        for await (const { name, type } of client.listTables(options.schema, { signal })) {
          if (session.json) await session.printJson({ project: client.project, table: name, type });
          else rows.push([printable(name), printable(type ?? '')]);
        }
        if (session.json) return EXIT.done;
        const columns = [{ title: 'table' }, { title: 'type' }];
        await session.print(rows.length === 0 ? 'There are no tables.\n' : tableText(columns, rows));
        return EXIT.done;
      }),
    );
