import { Command, Option } from 'commander';
import type { DumpTask, DumpTaskPartition, ObsDestination } from '../../../shared/clients/dis/index.ts';
import { type Act, examples } from '../../act.ts';
import { CommandError, EXIT } from '../../errors.ts';
import { wholeNumber } from '../../options.ts';
import { type Access, withDis } from './access.ts';
import type { DisOptions } from './options.ts';
import { plain, type Shown, show, showFacts, tell, timeCell } from './show.ts';

const TASKS: readonly Shown<DumpTask>[] = [
  { title: 'task', cell: ({ taskName }) => taskName },
  { title: 'state', cell: ({ status }) => status },
  { title: 'destination', cell: ({ destinationType }) => destinationType },
  { title: 'created', cell: ({ createdAt }) => timeCell(createdAt) },
  { title: 'last transfer', cell: ({ lastTransferTimestamp: at }) => (at ? timeCell(at) : '') },
  { title: 'id', cell: ({ taskId }) => taskId },
];

const PARTITIONS: readonly Shown<DumpTaskPartition>[] = [
  { title: 'partition', cell: ({ partitionId }) => partitionId },
  { title: 'state', cell: ({ state }) => state },
  { title: 'up to', right: true, cell: ({ lastTransferOffset }) => lastTransferOffset },
  { title: 'left out', right: true, cell: ({ discard }) => discard },
];

export const dumpTaskCommand = (act: Act): Command =>
  new Command('dump-task')
    .description('the service’s own copiers from a stream into a bucket')
    .addCommand(listCommand(act))
    .addCommand(createCommand(act))
    .addCommand(describeCommand(act))
    .addCommand(changeCommand(act, 'start', 'go on with tasks that are paused'))
    .addCommand(changeCommand(act, 'pause', 'pause tasks; they go on where they were'))
    .addCommand(deleteCommand(act));

const listCommand = (act: Act): Command =>
  new Command('list')
    .description('list the tasks of a stream')
    .argument('<stream>')
    .addHelpText('after', examples('dis dump-task list events'))
    .action(
      act<[string], DisOptions>((session, [stream], options) =>
        withDis(session, options, async ({ dis, signal }) => {
          await show(session, dis.dumpTasks(stream, { signal }), TASKS, `${stream} has no dump task.`);
          return EXIT.done;
        }),
      ),
    );

interface CreateOptions extends DisOptions {
  readonly bucket: string;
  readonly agency: string;
  readonly every: number;
  readonly prefix?: string;
  readonly folders?: NonNullable<ObsDestination['partitionFormat']>;
  readonly delimiter?: string;
  readonly from?: 'earliest' | 'latest';
}

const createCommand = (act: Act): Command =>
  new Command('create')
    .description('make a task that copies records to a bucket as they come')
    .argument('<stream>')
    .argument('<task>')
    .requiredOption('--bucket <name>', 'where files go')
    .option('--agency <name>', 'lets the service write there', 'dis_admin_agency')
    .option('--every <seconds>', 'between files', wholeNumber(30, 900), 300)
    .option('--prefix <text>', 'of the files’ keys')
    .addOption(
      new Option('--folders <format>', 'by time').choices([
        'yyyy',
        'yyyy/MM',
        'yyyy/MM/dd',
        'yyyy/MM/dd/HH',
        'yyyy/MM/dd/HH/mm',
      ]),
    )
    .option('--delimiter <text>', 'behind each record (default a newline)')
    .addOption(new Option('--from <place>', 'where it begins (default latest)').choices(['earliest', 'latest']))
    .addHelpText(
      'after',
      examples('dis dump-task create events copy --bucket landing --prefix events --folders yyyy/MM/dd'),
    )
    .action(
      act<[string, string], CreateOptions>((session, [stream, taskName], options) =>
        withDis(session, options, async ({ dis, signal }) => {
          const { bucket, agency, every, prefix, folders, delimiter, from } = options;
          const created = await dis.createDumpTask(
            stream,
            {
              obsDestinationDescriptor: {
                taskName,
                agencyName: agency,
                obsBucketPath: bucket,
                deliverTimeInterval: every,
                filePrefix: prefix,
                partitionFormat: folders,
                recordDelimiter: delimiter,
                consumerStrategy: from === 'earliest' ? 'TRIM_HORIZON' : from === 'latest' ? 'LATEST' : undefined,
              },
            },
            { signal },
          );
          await tell(session, `${taskName} copies ${stream} to ${bucket} every ${every} s.`, created);
          return EXIT.done;
        }),
      ),
    );

const describeCommand = (act: Act): Command =>
  new Command('describe')
    .description('show a task, and how far it has come')
    .argument('<stream>')
    .argument('<task>')
    .addHelpText('after', examples('dis dump-task describe events copy'))
    .action(
      act<[string, string], DisOptions>((session, [stream, name], options) =>
        withDis(session, options, async ({ dis, signal }) => {
          const task = await dis.getDumpTask(stream, name, { signal });
          if (session.json) await session.printJson(plain(task));
          else {
            const { partitions = [], ...facts } = task;
            await showFacts(session, facts);
            await session.print('\n');
            await show(session, partitions, PARTITIONS, 'It has no partition yet.');
          }
          return EXIT.done;
        }),
      ),
    );

const changeCommand = (act: Act, what: 'start' | 'pause', description: string): Command =>
  new Command(what)
    .description(description)
    .argument('<stream>')
    .argument('<task...>', 'by name')
    .addHelpText('after', examples(`dis dump-task ${what} events copy`))
    .action(
      act<[string, string[]], DisOptions>((session, [stream, names], options) =>
        withDis(session, options, async (access) => {
          const ids = await idsOf(access, stream, names);
          if (what === 'start') await access.dis.startDumpTask(stream, ids);
          else await access.dis.pauseDumpTask(stream, ids);
          const done = what === 'start' ? 'started' : 'paused';
          await tell(session, `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} ${done}.`, {
            stream,
            tasks: names,
            done,
          });
          return EXIT.done;
        }),
      ),
    );

/** The service starts and pauses by id; people know names. */
async function idsOf({ dis, signal }: Access, stream: string, names: readonly string[]): Promise<string[]> {
  const ids = new Map<string, string>();
  for await (const { taskName, taskId } of dis.dumpTasks(stream, { signal }))
    if (taskName !== undefined && taskId !== undefined) ids.set(taskName, taskId);
  return names.map((name) => {
    const id = ids.get(name);
    if (id === undefined) throw new CommandError('NoTask', `${stream} has no dump task ${name}`);
    return id;
  });
}

const deleteCommand = (act: Act): Command =>
  new Command('delete')
    .description('delete a task; what it wrote stays')
    .argument('<stream>')
    .argument('<task>')
    .option('--ignore-missing', 'be content if there is none')
    .addHelpText('after', examples('dis dump-task delete events copy'))
    .action(
      act<[string, string], DisOptions & { ignoreMissing?: boolean }>((session, [stream, name], options) =>
        withDis(session, options, async ({ dis, signal }) => {
          await dis.deleteDumpTask(stream, name, options.ignoreMissing ?? false, { signal });
          await tell(session, `${name} is deleted.`, { stream, task: name, deleted: true });
          return EXIT.done;
        }),
      ),
    );
