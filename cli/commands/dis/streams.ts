import { setTimeout as delay } from 'node:timers/promises';
import { Command, Option } from 'commander';
import type { Partition, Stream, StreamAttributes } from '../../../shared/clients/dis/index.ts';
import { InvalidInputError } from '../../../shared/core/errors.ts';
import { type Act, examples } from '../../act.ts';
import { CommandError, EXIT } from '../../errors.ts';
import { collect, wholeNumber } from '../../options.ts';
import { type Access, withDis } from './access.ts';
import type { DisOptions } from './options.ts';
import { plain, type Shown, show, showFacts, tell, timeCell } from './show.ts';

const STREAMS: readonly Shown<Stream>[] = [
  { title: 'stream', cell: ({ name }) => name },
  { title: 'status', cell: ({ status }) => status },
  { title: 'type', cell: ({ streamType }) => streamType },
  { title: 'data', cell: ({ dataType }) => dataType },
  { title: 'partitions', right: true, cell: ({ partitionCount }) => partitionCount },
  { title: 'hours', right: true, cell: ({ retentionPeriod }) => retentionPeriod },
  { title: 'created', cell: ({ createdAt }) => timeCell(createdAt) },
];

const PARTITIONS: readonly Shown<Partition>[] = [
  { title: 'partition', cell: ({ partitionId }) => partitionId },
  { title: 'status', cell: ({ status }) => status },
  { title: 'oldest', right: true, cell: ({ oldestSequenceNumber }) => oldestSequenceNumber },
  { title: 'next', right: true, cell: ({ nextSequenceNumber }) => nextSequenceNumber },
  { title: 'hashes', cell: ({ hashRange }) => hashRange },
];

export const streamsCommand = (act: Act): Command =>
  new Command('streams')
    .description('list the streams of the project')
    .addHelpText('after', examples('dis streams', 'dis streams --json'))
    .action(
      act<[], DisOptions>((session, _args, options) =>
        withDis(session, options, async ({ dis, signal }) => {
          await show(session, dis.streams({}, { signal }), STREAMS, 'There is no stream.');
          return EXIT.done;
        }),
      ),
    );

export const streamCommand = (act: Act): Command =>
  new Command('stream')
    .description('make, show, scale and delete a stream')
    .addCommand(createCommand(act))
    .addCommand(describeCommand(act))
    .addCommand(scaleCommand(act))
    .addCommand(deleteCommand(act));

interface CreateOptions extends DisOptions {
  readonly partitions: number;
  readonly type?: StreamAttributes['streamType'];
  readonly dataType?: StreamAttributes['dataType'];
  readonly compression?: StreamAttributes['compressionFormat'];
  readonly hours?: number;
  readonly tag?: readonly string[];
  readonly wait: boolean;
}

const createCommand = (act: Act): Command =>
  new Command('create')
    .description('make a stream, and wait until it runs')
    .argument('<stream>', '1 to 64 of A-Z a-z 0-9 - _')
    .option('--partitions <count>', 'how many', wholeNumber(1), 1)
    .addOption(new Option('--type <type>', 'traffic of a partition (default COMMON)').choices(['COMMON', 'ADVANCED']))
    .addOption(new Option('--data-type <type>', 'of the records (default BLOB)').choices(['BLOB', 'JSON', 'CSV']))
    .addOption(new Option('--compression <format>', 'what producers say they do').choices(['snappy', 'gzip', 'zip']))
    .option('--hours <hours>', 'that records are kept (default 24)', wholeNumber(24, 72))
    .option('--tag <key=value>', 'may be repeated', collect)
    .option('--no-wait', 'do not wait')
    .addHelpText(
      'after',
      examples('dis stream create events --partitions 2', 'dis stream create events --hours 72 --json'),
    )
    .action(
      act<[string], CreateOptions>((session, [name], options) =>
        withDis(session, options, async (access) => {
          const { partitions, type, dataType, compression, hours, tag = [] } = options;
          const created = await access.dis.createStream(
            {
              name,
              partitionCount: partitions,
              streamType: type,
              dataType,
              compressionFormat: compression,
              dataDuration: hours,
              ...(tag.length > 0 ? { tags: tag.map(tagOf) } : {}),
            },
            { signal: access.signal },
          );
          if (options.wait) await untilSettled(access, name, ({ status }) => status === 'RUNNING');
          await tell(session, `${name} is made, with ${partitions} partition${partitions === 1 ? '' : 's'}.`, created);
          return EXIT.done;
        }),
      ),
    );

function tagOf(text: string): { key: string; value: string } {
  const at = text.indexOf('=');
  return at < 0 ? { key: text, value: '' } : { key: text.slice(0, at), value: text.slice(at + 1) };
}

const describeCommand = (act: Act): Command =>
  new Command('describe')
    .description('show a stream and its partitions, with the numbers of their oldest and next records')
    .argument('<stream>')
    .addHelpText('after', examples('dis stream describe events', 'dis stream describe events --json'))
    .action(
      act<[string], DisOptions>((session, [name], options) =>
        withDis(session, options, async ({ dis, signal }) => {
          const stream = await dis.getStream(name, { signal });
          if (session.json) await session.printJson(plain(stream));
          else {
            const { partitions = [], updatePartitionCounts: _, ...facts } = stream;
            await showFacts(session, facts);
            await session.print('\n');
            await show(session, partitions, PARTITIONS, 'It has no partition.');
          }
          return EXIT.done;
        }),
      ),
    );

interface ScaleOptions extends DisOptions {
  readonly wait: boolean;
}

const scaleCommand = (act: Act): Command =>
  new Command('scale')
    .description('change how many partitions are written to, and wait until it is so')
    .argument('<stream>')
    .argument('<partitions>', 'how many', wholeNumber(1))
    .option('--no-wait', 'do not wait')
    .addHelpText('after', examples('dis stream scale events 4', 'dis stream scale events 1 --no-wait'))
    .action(
      act<[string, number], ScaleOptions>((session, [name, count], options) =>
        withDis(session, options, async (access) => {
          await access.dis.updateStreamPartition(name, count, { signal: access.signal });
          const isDone = ({ writablePartitionCount }: Stream) => writablePartitionCount === count;
          if (options.wait) await untilSettled(access, name, isDone);
          await tell(session, `${name} has ${count} partition${count === 1 ? '' : 's'}.`, {
            name,
            partitionCount: count,
          });
          return EXIT.done;
        }),
      ),
    );

interface DeleteOptions extends DisOptions {
  readonly yes?: boolean;
  readonly ignoreMissing?: boolean;
}

const deleteCommand = (act: Act): Command =>
  new Command('delete')
    .description('delete a stream with its records, checkpoints and dump tasks')
    .argument('<stream>')
    .option('--yes', 'needed: it cannot be taken back')
    .option('--ignore-missing', 'be content if there is none')
    .addHelpText('after', examples('dis stream delete events --yes'))
    .action(
      act<[string], DeleteOptions>((session, [name], options) =>
        withDis(session, options, async ({ dis, signal }) => {
          if (!options.yes) {
            throw new InvalidInputError(`${name} would go with its records; if so, say --yes`);
          }
          await dis.deleteStream(name, options.ignoreMissing ?? false, { signal });
          await tell(session, `${name} is deleted.`, { name, deleted: true });
          return EXIT.done;
        }),
      ),
    );

const LOOK_EVERY_MS = 500;
const SETTLES_WITHIN_MS = 120_000;

async function untilSettled(
  { dis, signal }: Access,
  name: string,
  isSettled: (stream: Stream) => boolean,
): Promise<void> {
  const until = performance.now() + SETTLES_WITHIN_MS;
  while (!isSettled(await dis.getStream(name, { signal }))) {
    if (performance.now() > until)
      throw new CommandError(
        'NotSettled',
        `${name} is not ready after ${SETTLES_WITHIN_MS / 1000} s; look with "dis stream describe"`,
      );
    await delay(LOOK_EVERY_MS, undefined, { signal });
  }
}
