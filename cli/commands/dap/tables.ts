import { InvalidInputError } from '../../../shared/core/errors.ts';
import { EXIT, shownError } from '../../errors.ts';
import type { Session } from '../../session.ts';
import { oneLine, printable, secondsText } from '../../text.ts';
import type { Access } from './access.ts';
import type { TableOptions } from './options.ts';

/** A table at work, as progress shows it. */
export interface TableAtWork {
  readonly table: string;
  /** The width of the longest name of all tables that were asked for. */
  readonly nameWidth: number;
  /** What goes on, in a few words. */
  say(what: string): void;
}

/**
 * Does something to each table that was asked for, one after the other. What fails for one does not stop the others, and is
 * printed in its place among their results.
 *
 * @param operation its name, for the error at the end
 * @throws {TablesError} of several tables some failed; of one table its own error
 */
export async function eachTable(
  session: Session,
  { dap, signal, showsProgress }: Access,
  { namespace, table: asked }: Pick<TableOptions, 'namespace' | 'table'>,
  operation: string,
  work: (at: TableAtWork) => Promise<void>,
): Promise<number> {
  const tables = await dap.getTableList(namespace, asked, { signal });
  if (tables.length === 0 && asked.trim() !== 'all') throw new InvalidInputError('--table names no table');
  const nameWidth = Math.max(0, ...tables.map((name) => printable(name).length));
  let line: () => string = () => 'starting';
  const workOn = async (table: string) => {
    const [began, place] = [performance.now(), `${tables.indexOf(table) + 1} of ${tables.length}`];
    let what = 'asking';
    line = () => `${printable(table)} (${place})  ${what}, ${secondsText(performance.now() - began)} s`;
    const say = (words: string) => {
      what = words;
    };
    await work({ table, nameWidth, say });
  };
  const workOnAll = async () => {
    if (tables.length === 1) return workOn(tables[0]!);
    const workOrTell = async (_namespace: string, table: string) => {
      try {
        await workOn(table);
      } catch (error) {
        if (!signal.aborted) await tellFailure(session, { namespace, table, nameWidth }, error);
        throw error;
      }
    };
    await dap.executeOperationOnTables(namespace, tables, operation, workOrTell, { signal });
  };
  await (showsProgress ? session.showing(() => [line()], workOnAll) : workOnAll());
  return EXIT.done;
}

async function tellFailure(
  session: Session,
  { namespace, table, nameWidth }: { namespace: string; table: string; nameWidth: number },
  error: unknown,
): Promise<void> {
  const shown = shownError(error, session.redactor.redact);
  if (session.json) return session.printJson({ namespace, table, error: shown });
  const failed = session.styled('red', 'FAILED');
  await session.print(`${printable(table).padEnd(nameWidth)}  ${failed}  ${shown.code}: ${oneLine(shown.message)}\n`);
}
