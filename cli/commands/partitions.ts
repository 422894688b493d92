import { Command, InvalidArgumentError, Option } from 'commander';
import { anyOf } from '../../shared/connectors/patterns.ts';
import { pathText } from '../../shared/landing/flat-manifest.ts';
import { listPartitions, PARTITION_STATES, type PartitionState } from '../../shared/operations/partitions.ts';
import { type Act, examples } from '../act.ts';
import { EXIT } from '../errors.ts';
import { wholeNumber } from '../options.ts';
import { pipelineNamed } from '../pipelines.ts';
import { bytesText, oneLine, printable, timeText } from '../text.ts';

interface PartitionsOptions {
  readonly state?: PartitionState;
  readonly name?: string;
  readonly limit?: number;
}

export const partitionsCommand = (act: Act): Command =>
  new Command('partitions')
    .description('list what is known of the partitions of a pipeline')
    .argument('<pipeline>', 'name of the pipeline')
    .addOption(
      new Option('--state <state>', 'only those in this state')
        .choices(PARTITION_STATES)
        .argParser((text) => oneOf(text.toUpperCase())),
    )
    .option('--name <glob>', 'only those whose name, or with a slash in the pattern whose path, fits')
    .option('--limit <partitions>', 'at most so many', wholeNumber(1))
    .addHelpText(
      'after',
      examples(
        'partitions vega-files --name "*.csv"',
        'partitions vega-files --state FAILED',
        'partitions calendar --name "2024/**" --json',
      ),
    )
    .action(
      act<[string], PartitionsOptions>(async (session, [pipeline], { state, name, limit }) => {
        const { deps } = await session.open();
        await pipelineNamed(pipeline, deps);
        const fits = name === undefined ? undefined : anyOf('--name', name);
        const filter = {
          ...(state ? { state } : {}),
          ...(fits ? { matches: (path: string) => fits(path, path.slice(path.lastIndexOf('/') + 1)) } : {}),
        };
        let shown = 0;
        if (!session.json) await session.print(rowText('state', 'bytes', 'landed', 'partition'));
        for await (const view of listPartitions(pipeline, deps, filter)) {
          const path = pathText(view.path);
          if (session.json) {
            const { landedAt, ...rest } = view;
            const at = landedAt === undefined ? {} : { landedAt: new Date(landedAt).toISOString() };
            await session.printJson({ pipeline, ...rest, pathText: path, ...at });
          } else {
            const bytes = view.bytes === undefined ? '' : bytesText(view.bytes);
            const landed = view.landedAt === undefined ? '' : timeText(view.landedAt);
            const error = view.error ? `  ${view.error.code}: ${oneLine(view.error.message)}` : '';
            await session.print(rowText(view.state, bytes, landed, printable(path) + error));
          }
          shown += 1;
          if (shown === limit) break;
        }
        return EXIT.done;
      }),
    );

function oneOf(text: string): PartitionState {
  const found = PARTITION_STATES.find((state) => state === text);
  if (found) return found;
  throw new InvalidArgumentError(`Allowed choices are ${PARTITION_STATES.join(', ')}.`);
}

/** There may be millions, so widths are not looked for. */
function rowText(state: string, bytes: string, landed: string, partition: string): string {
  return `${state.padEnd(14)}  ${bytes.padStart(8)}  ${landed.padEnd(20)}  ${partition}\n`;
}
