import { CommanderError } from 'commander';
import { Redactor } from '../shared/core/redaction.ts';
import { tlsWarning } from '../shared/core/tls.ts';
import { EXIT, errorLine, exitCodeOf, InterruptedError } from './errors.ts';
import { type Io, processIo } from './io.ts';
import { buildProgram } from './program.ts';

/**
 * The `landfall` command, without its process.
 *
 * @param argv what follows the command's name
 * @returns the exit code: 0 done, 1 failed or partial, 2 wrong usage or input, 130 stopped by Ctrl-C
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const redactor = new Redactor();
  const { program, exitCode } = buildProgram(io, redactor);
  const warning = tlsWarning(io.env);
  if (warning) await io.stderr.write(`landfall: ${warning}\n`);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode();
  } catch (error) {
    const code = exitCodeOf(error);
    const isHelp = error instanceof CommanderError && (error.exitCode === 0 || error.code === 'commander.help');
    if (!isHelp && !(error instanceof InterruptedError))
      await io.stderr.write(errorLine(error, argv.includes('--json'), redactor.redact));
    return code;
  }
}

/** For `bin/`: runs the command in this process and ends it. */
export async function runProcess(argv: readonly string[]): Promise<void> {
  const io = processIo();
  let code: number = EXIT.failed;
  try {
    code = await main(argv, io);
  } finally {
    // Sockets that are kept for another request would keep the process for seconds.
    io.exit(code);
  }
}
