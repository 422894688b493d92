import { Command } from 'commander';
import { type Act, examples } from '../../act.ts';
import { EXIT } from '../../errors.ts';
import { printable } from '../../text.ts';
import { addDatabaseTableOptions, type DatabaseTableOptions, withDatabase } from './database.ts';

export const dropdbCommand = (act: Act): Command =>
  addDatabaseTableOptions(new Command('dropdb').description('drop tables from a database; asks the service nothing'))
    .addHelpText('after', examples('dap dropdb --namespace canvas --table users --connection-string pglite:canvas.db'))
    .action(
      act<[], DatabaseTableOptions>((session, _args, options) =>
        withDatabase(session, options, async (target) => {
          const { SQLDrop } = await import('../../../shared/sinks/sql/dap/drop.ts');
          const { namespace, table: asked } = options;
          for (const table of await new SQLDrop(target).drop(namespace, asked)) {
            if (session.json) await session.printJson({ namespace, table, dropped: true });
            else await session.print(`${printable(table)}  dropped\n`);
          }
          return EXIT.done;
        }),
      ),
    );
