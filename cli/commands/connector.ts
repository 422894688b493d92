import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { builtInConnectors } from '../../shared/connectors/async/built-in/built-in.ts';
import { connectionStore } from '../../shared/connectors/async/connections.ts';
import { ConnectorRegistry } from '../../shared/connectors/async/registry.ts';
import { taskService } from '../../shared/connectors/async/service.ts';
import { parseTaskTemplate } from '../../shared/connectors/async/templates.ts';
import { DapQueryConnector } from '../../shared/connectors/dap/query-connector.ts';
import { InvalidInputError } from '../../shared/core/errors.ts';
import { isObject, type JsonValue } from '../../shared/core/json.ts';
import type { JobRecord } from '../../shared/jobs/store.ts';
import { parseConnections, readConnections } from '../../shared/operations/connector-api.ts';
import { landfallRefreshPorts } from '../../shared/operations/refresh-ports.ts';
import { runTask } from '../../shared/operations/run-task.ts';
import { type Act, examples } from '../act.ts';
import { EXIT } from '../errors.ts';
import { wholeNumber } from '../options.ts';
import type { Opened, Session } from '../session.ts';
import { oneLine, tableText } from '../text.ts';

export const connectorCommand = (act: Act): Command =>
  new Command('connector')
    .description('look at the connectors for external jobs, and run one job here')
    .addCommand(runCommand(act))
    .addCommand(listCommand(act));

interface RunOptions {
  readonly template?: string;
  readonly typeVersion?: number;
  readonly input?: readonly (readonly [string, JsonValue])[];
  readonly connection?: string;
  readonly connections?: string;
  readonly pipeline?: string;
}

const runCommand = (act: Act): Command =>
  new Command('run')
    .description('make an external job and follow it to its end, in this process; Ctrl-C stops the job')
    .argument('<type>', 'the task type: http.job, aws.athena, dap.query, …')
    .option('--template <file>', 'JSON of the task template; its type is the one given here')
    .option('--type-version <version>', 'of the connector (default 0)', wholeNumber(0))
    .option('--input <name=value>', 'an input, as JSON or as text; may be given several times', input)
    .option('--connection <name>', 'what it connects with')
    .option('--connections <file>', 'JSON: connections by name, secrets as references (LANDFALL_CONNECTIONS)')
    .option('--pipeline <name>', 'use the connectors and connections of this pipeline')
    .addHelpText(
      'after',
      examples(
        'connector run sensor.http --template wait-for-file.json',
        'connector run aws.athena --template query.json --input day=2026-01-05 --connection athena',
      ),
    )
    .action(
      act<[string], RunOptions>(async (session, [type], options) => {
        const opened = await session.open();
        const taskTemplate = await readTemplate(type, options);
        const signal = session.stopping.signal('Stopping: the job is being stopped first.');
        let told = '';
        const onLook = (job: JobRecord) => {
          const now = `${job.phase}${job.message ? `: ${oneLine(job.message)}` : ''}`;
          if (now !== told) void session.note(`${new Date().toISOString().slice(11, 19)}  ${now}`);
          told = now;
        };
        const { job, outputs } = await runTask(
          {
            taskTemplate,
            inputs: Object.fromEntries(options.input ?? []),
            ...(options.connection === undefined ? {} : { connection: options.connection }),
            tasks: await tasksOf(options, session, opened),
            onLook,
            sleep: async (ms, until) => sleep(ms, undefined, { signal: until }),
            signal,
          },
          opened.deps,
        );
        const { phase, message, error, attempt } = job;
        if (session.json) await session.printJson({ type, phase, attempt, message, error, outputs });
        else if (outputs) await session.print(`${JSON.stringify(outputs, undefined, 2)}\n`);
        else await session.print(`${phase}${error ? `  ${error.code}: ${oneLine(error.message)}` : ''}\n`);
        if (session.stopping.stopped) return EXIT.interrupted;
        return phase === 'SUCCEEDED' ? EXIT.done : EXIT.failed;
      }),
    );

const listCommand = (act: Act): Command =>
  new Command('list')
    .description('list the connectors for external jobs')
    .option('--pipeline <name>', 'also those of this pipeline')
    .addHelpText('after', examples('connector list'))
    .action(
      act<[], RunOptions>(async (session, _args, options) => {
        const { service } = await tasksOf(options, session, await session.open());
        const connectors = service.listConnectors();
        if (session.json) {
          for (const connector of connectors) await session.printJson(connector);
          return EXIT.done;
        }
        const rows = connectors.flatMap(({ name, supportedTaskCategories }) =>
          supportedTaskCategories.map((category) => [category.name, `${category.version}`, name]),
        );
        await session.print(
          tableText([{ title: 'type' }, { title: 'version', right: true }, { title: 'connector' }], rows),
        );
        return EXIT.done;
      }),
    );

/** Without a pipeline: the built-in connectors, and the connections that are configured. */
async function tasksOf({ pipeline, connections: file }: RunOptions, session: Session, { backend, deps }: Opened) {
  if (pipeline !== undefined) return deps.tasksOf(pipeline);
  const registry = new ConnectorRegistry();
  for (const connector of builtInConnectors({ refresh: landfallRefreshPorts(deps) })) registry.register(connector);
  registry.register(new DapQueryConnector({ redactor: session.redactor }));
  const named =
    file === undefined ? readConnections(session.io.env) : parseConnections(await readFile(file, 'utf8'), file);
  const connections = connectionStore(named);
  const { clock, log, redactor } = deps;
  return {
    service: taskService({ registry, connections, secrets: backend.secrets, clock, log, redactor }),
    connections,
  };
}

async function readTemplate(type: string, { template: file, typeVersion }: RunOptions) {
  const given = file === undefined ? {} : parsed(await readFile(file, 'utf8'), file);
  const version = typeVersion === undefined ? {} : { taskTypeVersion: typeVersion };
  return parseTaskTemplate({ ...given, type, ...version });
}

function parsed(text: string, file: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new InvalidInputError(`${file} is not JSON`, { cause });
  }
  if (!isObject(value)) throw new InvalidInputError(`${file} must hold a JSON object: the task template`);
  return value;
}

function input(text: string, before: readonly (readonly [string, JsonValue])[] = []) {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be name=value.');
  return [...before, [text.slice(0, at), jsonOrText(text.slice(at + 1))] as const];
}

function jsonOrText(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}
