import { Command } from 'commander';
import type { App, AppConsumption } from '../../../shared/clients/dis/index.ts';
import { type Act, examples } from '../../act.ts';
import { EXIT } from '../../errors.ts';
import { withDis } from './access.ts';
import type { DisOptions } from './options.ts';
import { type Shown, show, showFacts, tell, timeCell } from './show.ts';

const APPS: readonly Shown<App>[] = [
  { title: 'app', cell: ({ name }) => name },
  { title: 'created', cell: ({ createdAt }) => timeCell(createdAt) },
  { title: 'streams', cell: ({ commitCheckpointStreamNames }) => commitCheckpointStreamNames?.join(' ') },
];

const CONSUMPTIONS: readonly Shown<AppConsumption>[] = [
  { title: 'partition', cell: ({ partitionId }) => partitionId },
  { title: 'status', cell: ({ status }) => status },
  { title: 'checkpoint', right: true, cell: ({ sequenceNumber }) => (sequenceNumber < 0n ? '' : sequenceNumber) },
  { title: 'oldest', right: true, cell: ({ earliestOffset }) => earliestOffset },
  { title: 'next', right: true, cell: ({ latestOffset }) => latestOffset },
  { title: 'behind', right: true, cell: behind },
];

/** Records that are there, and not done. */
function behind({ sequenceNumber, earliestOffset = 0n, latestOffset }: AppConsumption): bigint | undefined {
  if (latestOffset === undefined) return undefined;
  const next = sequenceNumber + 1n;
  return latestOffset - (next > earliestOffset ? next : earliestOffset);
}

interface AppsOptions extends DisOptions {
  readonly stream?: string;
}

export const appsCommand = (act: Act): Command =>
  new Command('apps')
    .description('list the apps, those that consume')
    .option('--stream <stream>', 'only those with a checkpoint on it')
    .addHelpText('after', examples('dis apps', 'dis apps --stream events --json'))
    .action(
      act<[], AppsOptions>((session, _args, options) =>
        withDis(session, options, async ({ dis, signal }) => {
          await show(session, dis.apps({ streamName: options.stream }, { signal }), APPS, 'There is no app.');
          return EXIT.done;
        }),
      ),
    );

export const appCommand = (act: Act): Command =>
  new Command('app')
    .description('make, show and delete an app, and see how far it has read')
    .addCommand(
      new Command('create')
        .description('make an app')
        .argument('<app>')
        .addHelpText('after', examples('dis app create reports'))
        .action(
          act<[string], DisOptions>((session, [name], options) =>
            withDis(session, options, async ({ dis, signal }) => {
              await tell(session, `${name} is made.`, await dis.createApp({ name }, { signal }));
              return EXIT.done;
            }),
          ),
        ),
    )
    .addCommand(
      new Command('describe')
        .description('show an app')
        .argument('<app>')
        .addHelpText('after', examples('dis app describe reports'))
        .action(
          act<[string], DisOptions>((session, [name], options) =>
            withDis(session, options, async ({ dis, signal }) => {
              await showFacts(session, await dis.getApp(name, { signal }));
              return EXIT.done;
            }),
          ),
        ),
    )
    .addCommand(
      new Command('progress')
        .description('show how far an app has read each partition of a stream')
        .argument('<app>')
        .argument('<stream>')
        .addHelpText('after', examples('dis app progress reports events', 'dis app progress reports events --json'))
        .action(
          act<[string, string], DisOptions>((session, [app, stream], options) =>
            withDis(session, options, async ({ dis, signal }) => {
              const states = dis.appConsumptions(stream, app, {}, { signal });
              await show(session, states, CONSUMPTIONS, 'There is no partition.');
              return EXIT.done;
            }),
          ),
        ),
    )
    .addCommand(
      new Command('delete')
        .description('delete an app and its checkpoints')
        .argument('<app>')
        .option('--ignore-missing', 'be content if there is none')
        .addHelpText('after', examples('dis app delete reports'))
        .action(
          act<[string], DisOptions & { ignoreMissing?: boolean }>((session, [name], options) =>
            withDis(session, options, async ({ dis, signal }) => {
              await dis.deleteApp(name, options.ignoreMissing ?? false, { signal });
              await tell(session, `${name} is deleted.`, { name, deleted: true });
              return EXIT.done;
            }),
          ),
        ),
    );
