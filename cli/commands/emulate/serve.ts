import { CommandError, EXIT } from '../../errors.ts';
import type { Session } from '../../session.ts';

/** What an emulator is given besides its options. */
export interface ServeIo {
  readonly print: (line: string) => Promise<void> | void;
  readonly signal: AbortSignal;
}

/**
 * Runs a service until the command is stopped.
 *
 * @param port that was asked for
 * @throws {CommandError} PortTaken
 */
export async function serve(
  session: Session,
  port: number | undefined,
  run: (io: ServeIo) => Promise<void>,
): Promise<number> {
  const signal = session.stopping.signal('Stopping.');
  try {
    await run({ print: (line) => session.print(`${line}\n`), signal });
    return EXIT.done;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    const message = `port ${port} of 127.0.0.1 is taken; choose another with --port, or 0 for any free one`;
    throw new CommandError('PortTaken', message, { cause });
  }
}
