import { Command } from 'commander';
import { type Act, examples } from '../../act.ts';
import { EXIT } from '../../errors.ts';
import { countText } from '../../text.ts';
import { type Access, withDis } from './access.ts';
import type { DisOptions } from './options.ts';
import { type Shown, show, tell } from './show.ts';

interface CheckpointRow {
  readonly partitionId: string;
  readonly sequenceNumber: bigint;
  readonly metadata: string;
}

const CHECKPOINTS: readonly Shown<CheckpointRow>[] = [
  { title: 'partition', cell: ({ partitionId }) => partitionId },
  { title: 'checkpoint', right: true, cell: ({ sequenceNumber }) => (sequenceNumber < 0n ? 'none' : sequenceNumber) },
  { title: 'metadata', cell: ({ metadata }) => metadata },
];

export const checkpointCommand = (act: Act): Command =>
  new Command('checkpoint')
    .description('show, set and delete how far an app has read')
    .addCommand(getCommand(act))
    .addCommand(setCommand(act))
    .addCommand(releaseCommand(act))
    .addCommand(deleteCommand(act));

const getCommand = (act: Act): Command =>
  new Command('get')
    .description('show the number of the last record that is done')
    .argument('<stream>')
    .argument('<app>')
    .argument('[partition]', 'default: all')
    .addHelpText('after', examples('dis checkpoint get events reports', 'dis checkpoint get events reports 0 --json'))
    .action(
      act<[string, string, string | undefined], DisOptions>((session, [stream, app, partition], options) =>
        withDis(session, options, async (access) => {
          await show(session, checkpoints(access, stream, app, partition), CHECKPOINTS, 'There is no partition.');
          return EXIT.done;
        }),
      ),
    );

async function* checkpoints(
  { dis, signal }: Access,
  stream: string,
  app: string,
  only?: string,
): AsyncGenerator<CheckpointRow> {
  const ids = only === undefined ? partitionIds({ dis, signal }, stream, app) : [only];
  for await (const partitionId of ids) {
    const { sequenceNumber, metadata } = await dis.getCheckpoint(stream, app, partitionId, undefined, { signal });
    yield { partitionId, sequenceNumber, metadata };
  }
}

async function* partitionIds({ dis, signal }: Access, stream: string, app: string): AsyncGenerator<string> {
  for await (const { partitionId, status } of dis.appConsumptions(stream, app, {}, { signal }))
    if (status !== 'EXPIRED') yield partitionId;
}

const setCommand = (act: Act): Command =>
  new Command('set')
    .description('say that all records up to a number are done')
    .argument('<stream>')
    .argument('<app>')
    .argument('<partition>')
    .argument('<number>', 'of the last record that is done')
    .option('--metadata <text>', 'up to 1,000 characters, kept with it')
    .addHelpText('after', examples('dis checkpoint set events reports 0 1199'))
    .action(
      act<[string, string, string, string], DisOptions & { metadata?: string }>(
        (session, [streamName, appName, partitionId, sequenceNumber], options) =>
          withDis(session, options, async ({ dis, signal }) => {
            const wanted = { streamName, appName, partitionId, sequenceNumber, metadata: options.metadata };
            const set = await dis.createCheckpoint(wanted, { signal });
            await tell(
              session,
              `${appName} has done partition ${partitionId} of ${streamName} up to ${sequenceNumber}.`,
              set,
            );
            return EXIT.done;
          }),
      ),
    );

/** Keeps the numbers, and takes out whose they are. */
const releaseCommand = (act: Act): Command =>
  new Command('release')
    .description('let a pipeline of another installation go on with an app; the one that used it must have stopped')
    .argument('<stream>')
    .argument('<app>')
    .addHelpText('after', examples('dis checkpoint release events landfall'))
    .action(
      act<[string, string], DisOptions>((session, [stream, app], options) =>
        withDis(session, options, async (access) => {
          let released = 0;
          for await (const { partitionId, sequenceNumber, metadata } of checkpoints(access, stream, app)) {
            if (sequenceNumber < 0n || metadata === '') continue;
            const same = { streamName: stream, appName: app, partitionId, sequenceNumber, metadata: '' };
            await access.dis.createCheckpoint(same, { signal: access.signal });
            released += 1;
          }
          await tell(session, `${app} is released on ${countText(released)} partitions of ${stream}.`, {
            stream,
            app,
            released,
          });
          return EXIT.done;
        }),
      ),
    );

const deleteCommand = (act: Act): Command =>
  new Command('delete')
    .description('forget how far an app has read')
    .argument('<stream>')
    .argument('<app>')
    .argument('[partition]', 'default: all')
    .addHelpText('after', examples('dis checkpoint delete events reports', 'dis checkpoint delete events reports 0'))
    .action(
      act<[string, string, string | undefined], DisOptions>((session, [stream, app, partition], options) =>
        withDis(session, options, async ({ dis, signal }) => {
          await dis.deleteCheckpoint(stream, app, partition, undefined, { signal });
          const where = partition === undefined ? 'all partitions' : `partition ${partition}`;
          await tell(session, `${app} has no checkpoint on ${where} of ${stream} any more.`, {
            stream,
            app,
            partition,
          });
          return EXIT.done;
        }),
      ),
    );
