import { Command } from 'commander';
import type { ReplicaResult, ReplicateOptions, SQLReplicator } from '../../../shared/sinks/sql/dap/replicator.ts';
import type { MappingName } from '../../../shared/sinks/sql/own-tables.ts';
import { type Act, examples } from '../../act.ts';
import type { Session } from '../../session.ts';
import { countText, printable } from '../../text.ts';
import { type Access, withAccess } from './access.ts';
import { addDatabaseTableOptions, type DatabaseTableOptions, mappingOption, withDatabase } from './database.ts';
import { eachTable, type TableAtWork } from './tables.ts';

interface InitOptions extends DatabaseTableOptions {
  readonly mapping: MappingName;
}

export const initdbCommand = (act: Act): Command =>
  addDatabaseTableOptions(new Command('initdb').description('load tables into a database for the first time'))
    .addOption(mappingOption())
    .addHelpText(
      'after',
      examples(
        'dap initdb --namespace canvas --table users --connection-string pglite:canvas.db',
        'dap initdb --namespace canvas --table all --connection-string postgresql://user:password@host/canvas',
      ),
    )
    .action(
      act<[], InitOptions>((session, _args, options) =>
        replicate(session, options, 'initdb', options.mapping, (replicator, ...of) => replicator.initialize(...of)),
      ),
    );

export const syncdbCommand = (act: Act): Command =>
  addDatabaseTableOptions(
    new Command('syncdb').description('apply to a database what changed in tables since the last time'),
  )
    .addHelpText('after', examples('dap syncdb --namespace canvas --table all --connection-string pglite:canvas.db'))
    .action(
      act<[], DatabaseTableOptions>((session, _args, options) =>
        replicate(session, options, 'syncdb', 'landfall', (replicator, ...of) => replicator.synchronize(...of)),
      ),
    );

type Work = (
  replicator: SQLReplicator,
  namespace: string,
  table: string,
  options: ReplicateOptions,
) => Promise<ReplicaResult>;

function replicate(
  session: Session,
  options: DatabaseTableOptions,
  operation: string,
  mapping: MappingName,
  work: Work,
): Promise<number> {
  return withDatabase(session, options, (target) =>
    withAccess(
      session,
      options,
      async (access) => {
        const { SQLReplicator } = await import('../../../shared/sinks/sql/dap/replicator.ts');
        const { dap, logger } = access;
        const replicator = new SQLReplicator(dap, target, { mapping, logger });
        return eachTable(session, access, options, operation, async (at) => {
          const { namespace } = options;
          const result = await work(replicator, namespace, at.table, progressOf(at, access));
          await tell(session, { ...access, namespace }, at, result);
        });
      },
      'each table stays as it last was complete',
    ),
  );
}

function progressOf({ table, say }: TableAtWork, { signal, logger }: Access): ReplicateOptions {
  return {
    signal,
    onJob({ id, status }) {
      say(`job ${printable(status)}`);
      logger.info('job', { table, jobId: id, status });
    },
    onProgress: ({ filesDone, files, rows }) =>
      say(`${countText(filesDone)} of ${countText(files)} files, ${countText(rows)} rows`),
  };
}

async function tell(
  session: Session,
  { namespace, logger }: Pick<Access, 'logger'> & { readonly namespace: string },
  { table, nameWidth }: TableAtWork,
  result: ReplicaResult,
): Promise<void> {
  const { outcome, rows, quarantined, truncated, timestamp, schemaVersion, jobId } = result;
  logger.info(`table ${outcome}`, { table, rows, quarantined, truncated, timestamp, schemaVersion, jobId });
  if (session.json) return session.printJson({ namespace, table, ...result });
  const words = [
    outcome === 'current' ? 'nothing new' : outcome,
    ...(outcome === 'current' ? [] : [`${countText(rows)} rows`]),
    ...(quarantined > 0 ? [session.styled('yellow', `${countText(quarantined)} set aside`)] : []),
    ...(truncated > 0 ? [session.styled('yellow', `${countText(truncated)} cut by the source`)] : []),
    `up to ${printable(timestamp)}`,
    `schema ${schemaVersion}`,
  ];
  await session.print(`${printable(table).padEnd(nameWidth)}  ${words.join('  ')}\n`);
}
