import { Command } from 'commander';
import type { CursorStart } from '../../../shared/clients/dis/index.ts';
import { type Act, examples } from '../../act.ts';
import { EXIT } from '../../errors.ts';
import { withDis } from './access.ts';
import { startOf } from './download.ts';
import type { DisOptions } from './options.ts';
import { tell } from './show.ts';

interface CursorOptions extends DisOptions {
  readonly from: CursorStart;
}

export const cursorCommand = (act: Act): Command =>
  new Command('cursor')
    .description('print a cursor of a partition, which lives five minutes')
    .argument('<stream>')
    .argument('<partition>')
    .option('--from <place>', 'earliest (default), latest, a sequence number, or a time', startOf, {
      cursorType: 'TRIM_HORIZON',
    })
    .addHelpText('after', examples('dis cursor events 0', 'dis cursor events 0 --from 1200'))
    .action(
      act<[string, string], CursorOptions>((session, [stream, partition], options) =>
        withDis(session, options, async ({ dis, signal }) => {
          const cursor = await dis.getDataCursor(stream, partition, options.from, { signal });
          await tell(session, cursor.partitionCursor, cursor);
          return EXIT.done;
        }),
      ),
    );
