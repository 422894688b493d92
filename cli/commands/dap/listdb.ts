import { Command } from 'commander';
import type { ReplicaStatus } from '../../../shared/sinks/sql/dap/list.ts';
import { type Act, examples } from '../../act.ts';
import { EXIT } from '../../errors.ts';
import type { Session } from '../../session.ts';
import { countText, durationText, printable, tableText } from '../../text.ts';
import { withAccess } from './access.ts';
import { addDatabaseOption, type DatabaseOptions, withDatabase } from './database.ts';

interface ListOptions extends DatabaseOptions {
  readonly omitNotReplicated?: boolean;
  readonly omitRecordCount?: boolean;
}

/** A line of the list, in the words of the vendor's command. */
interface Line {
  readonly name: string;
  readonly timestamp: string | null;
  readonly staleness: string | null;
  readonly staleness_seconds: number | null;
  readonly schema: number | null;
  readonly command: 'initdb' | 'syncdb';
  readonly records?: number | null;
}

export const listdbCommand = (act: Act): Command =>
  addDatabaseOption(new Command('listdb').description('show how the tables of a namespace stand in a database'))
    .option('--omit-not-replicated', 'only tables that are in the database; asks the service nothing')
    .option('--omit-record-count', 'count no records, which reads whole tables')
    .addHelpText(
      'after',
      examples(
        'dap listdb --namespace canvas --connection-string pglite:canvas.db',
        'dap listdb --namespace canvas --omit-not-replicated --non-interactive',
      ),
    )
    .action(
      act<[], ListOptions>((session, _args, options) =>
        withDatabase(session, options, async (target) => {
          const { replicaStatus, stalenessMs } = await import('../../../shared/sinks/sql/dap/list.ts');
          const counts = options.omitRecordCount !== true;
          const found = await replicaStatus(target, options.namespace, counts);
          const now = new Date();
          const lines = found.map((status): Line => lineOf(status, (timestamp) => stalenessMs(timestamp, now)));
          if (!options.omitNotReplicated) {
            const names = new Set(found.map(({ name }) => name));
            const missing = (await tablesOf(session, options)).filter((name) => !names.has(name)).sort();
            lines.push(...missing.map((name) => newLine(name, counts)));
          }
          await show(session, options, lines);
          return EXIT.done;
        }),
      ),
    );

async function tablesOf(session: Session, options: ListOptions): Promise<string[]> {
  let tables: string[] = [];
  await withAccess(session, options, async ({ dap, signal }) => {
    tables = await dap.getTables(options.namespace, { signal });
    return EXIT.done;
  });
  return tables;
}

function lineOf({ name, timestamp, schemaVersion, rows }: ReplicaStatus, age: (timestamp: string) => number): Line {
  const ms = timestamp === null ? null : age(timestamp);
  return {
    name,
    timestamp,
    staleness: ms === null ? null : durationText(ms),
    staleness_seconds: ms === null ? null : Math.floor(ms / 1000),
    schema: schemaVersion,
    command: 'syncdb',
    ...(rows !== undefined && { records: rows }),
  };
}

const newLine = (name: string, counts: boolean): Line => ({
  name,
  timestamp: null,
  staleness: null,
  staleness_seconds: null,
  schema: null,
  command: 'initdb',
  ...(counts && { records: null }),
});

async function show(
  session: Session,
  { nonInteractive, omitRecordCount, namespace }: ListOptions,
  lines: readonly Line[],
) {
  if (session.json) {
    for (const line of lines) await session.printJson({ namespace, ...line });
    return;
  }
  // What scripts of the vendor's command read.
  if (nonInteractive) return session.print(`${JSON.stringify(lines, undefined, 2)}\n`);
  if (lines.length === 0) return session.print(`${printable(namespace)} has no table here.\n`);
  const columns = [
    { title: 'name' },
    ...(omitRecordCount ? [] : [{ title: 'records', right: true }]),
    { title: 'data as of' },
    { title: 'staleness', right: true },
    { title: 'schema', right: true },
    { title: 'use command' },
  ];
  const rows = lines.map(({ name, records, timestamp, staleness, schema, command }) => [
    printable(name),
    ...(omitRecordCount ? [] : [records == null ? '' : countText(records)]),
    timestamp ?? '',
    staleness ?? '',
    schema === null ? '' : String(schema),
    command,
  ]);
  await session.print(tableText(columns, rows));
}
