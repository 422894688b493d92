import { Command } from 'commander';
import { type Act, examples } from '../../act.ts';
import { printable } from '../../text.ts';
import { withAccess } from './access.ts';
import { addTableOptions, type TableOptions } from './options.ts';
import { eachTable } from './tables.ts';

export const schemaCommand = (act: Act): Command =>
  addTableOptions(new Command('schema').description('save the schema of tables as JSON'))
    .addHelpText(
      'after',
      examples(
        'dap schema --namespace canvas --table users',
        'dap schema --namespace canvas --table all --output-directory schemas',
      ),
    )
    .action(
      act<[], TableOptions>((session, _args, options) =>
        withAccess(session, options, (access) =>
          eachTable(session, access, options, 'download of schemas', async ({ table, nameWidth }) => {
            const { namespace, outputDirectory } = options;
            const { dap, signal, logger } = access;
            const file = await dap.downloadTableSchema(namespace, table, outputDirectory, { signal });
            logger.info('schema saved', { table, file });
            if (session.json) await session.printJson({ namespace, table, file });
            else await session.print(`${printable(table).padEnd(nameWidth)}  ${file}\n`);
          }),
        ),
      ),
    );
