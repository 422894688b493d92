import { Command } from 'commander';
import type { Redactor } from '../shared/core/redaction.ts';
import { type Act, paramsOf } from './act.ts';
import { cancelCommand } from './commands/cancel.ts';
import { confirmCommand } from './commands/confirm.ts';
import { connectionCommand } from './commands/connection.ts';
import { connectorCommand } from './commands/connector.ts';
import { dapCommand } from './commands/dap/dap.ts';
import { disCommand } from './commands/dis/dis.ts';
import { emulateCommand } from './commands/emulate.ts';
import { exampleCommand } from './commands/example/example.ts';
import { giveUpCommand } from './commands/give-up.ts';
import { jobsCommand } from './commands/jobs.ts';
import { manifestCommand } from './commands/manifest.ts';
import { maxComputeCommand } from './commands/maxcompute/maxcompute.ts';
import { partitionsCommand } from './commands/partitions.ts';
import { pauseCommand, resumeCommand } from './commands/pause.ts';
import { planCommand } from './commands/plan.ts';
import { previewCommand } from './commands/preview.ts';
import { redriveCommand } from './commands/redrive.ts';
import { resetCommand } from './commands/reset.ts';
import { runCommand } from './commands/run.ts';
import { runsCommand } from './commands/runs.ts';
import { serveCommand } from './commands/serve.ts';
import { sinksCommand } from './commands/sinks.ts';
import { statusCommand } from './commands/status.ts';
import { sweepCommand } from './commands/sweep.ts';
import { workerCommand } from './commands/worker.ts';
import { EXIT } from './errors.ts';
import type { Io } from './io.ts';
import { type GlobalOptions, globalOptions } from './options.ts';
import { Session } from './session.ts';
import { packageVersion } from './version.ts';

const GROUPS: readonly { readonly title: string; readonly commands: readonly ((act: Act) => Command)[] }[] = [
  { title: 'Refreshing:', commands: [exampleCommand, planCommand, runCommand, workerCommand, serveCommand] },
  {
    title: 'Looking:',
    commands: [
      statusCommand,
      runsCommand,
      jobsCommand,
      partitionsCommand,
      manifestCommand,
      previewCommand,
      sinksCommand,
      connectionCommand,
    ],
  },
  {
    title: 'Putting right:',
    commands: [
      redriveCommand,
      giveUpCommand,
      confirmCommand,
      cancelCommand,
      pauseCommand,
      resumeCommand,
      resetCommand,
      sweepCommand,
    ],
  },
  { title: 'Services:', commands: [dapCommand, disCommand, maxComputeCommand, connectorCommand, emulateCommand] },
];

const EXIT_CODES = `
Exit codes:
  0    done
  1    a run failed or is partial, or the command could not do it
  2    wrong usage, unknown pipeline or invalid pipeline file
  130  stopped by Ctrl-C; the next run goes on from there

"landfall <command> --help" shows a command's options and examples.
`;

/** The command's grammar. `exitCode` is what the command that ran has said. */
export function buildProgram(io: Io, redactor: Redactor): { program: Command; exitCode: () => number } {
  let exitCode: number = EXIT.done;
  const act: Act =
    (handler) =>
    async (...params) => {
      const { args, options, command } = paramsOf<never, never>(params);
      const session = new Session(io, command.optsWithGlobals<GlobalOptions>(), redactor);
      try {
        exitCode = await handler(session, args, options);
      } finally {
        await session.close();
      }
    };
  const program = new Command('landfall')
    .description('Lists sources, reads what is new or changed, and lands the bytes exactly once.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .optionsGroup('Options of every command:')
    .addHelpText('after', EXIT_CODES);
  for (const option of globalOptions()) program.addOption(option);
  for (const { title, commands } of GROUPS) {
    program.commandsGroup(title);
    for (const make of commands) program.addCommand(make(act));
  }
  program.commandsGroup('Help:').helpCommand(true);
  for (const command of commandsBelow(program)) settle(command, io);
  return { program, exitCode: () => exitCode };
}

function* commandsBelow(command: Command): Generator<Command> {
  yield command;
  for (const below of command.commands) yield* commandsBelow(below);
}

/** Errors are told in one place, and every command takes the global options behind its name too. */
function settle(command: Command, io: Io): void {
  command.exitOverride();
  command.configureHelp({ showGlobalOptions: true });
  command.configureOutput({
    writeOut: (text) => void io.stdout.write(text),
    writeErr: (text) => void io.stderr.write(text),
    outputError: () => {},
    getOutHelpWidth: () => Math.min(io.stdout.columns, HELP_MAX_COLUMNS),
    getErrHelpWidth: () => Math.min(io.stderr.columns, HELP_MAX_COLUMNS),
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  });
  if (command.parent && command.commands.length === 0) {
    for (const option of globalOptions()) command.addOption(option.hideHelp());
  }
}

const HELP_MAX_COLUMNS = 110;
