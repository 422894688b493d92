import { Command } from 'commander';
import { type Act, examples } from '../../act.ts';
import { EXIT } from '../../errors.ts';
import { printable } from '../../text.ts';
import { withAccess } from './access.ts';
import { addNamespaceOption, type NamespaceOptions } from './options.ts';

export const listCommand = (act: Act): Command =>
  addNamespaceOption(new Command('list').description('list the tables of a namespace, one a line'))
    .addHelpText('after', examples('dap list --namespace canvas', 'dap list --namespace canvas_logs --json'))
    .action(
      act<[], NamespaceOptions>((session, _args, options) =>
        withAccess(session, options, async ({ dap, signal }) => {
          const { namespace } = options;
          for (const table of await dap.getTables(namespace, { signal })) {
            if (session.json) await session.printJson({ namespace, table });
            else await session.print(`${printable(table)}\n`);
          }
          return EXIT.done;
        }),
      ),
    );
