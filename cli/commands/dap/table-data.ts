import { dirname } from 'node:path';
import { Command, Option } from 'commander';
import type { DownloadTableDataResult, Format, Query } from '../../../shared/clients/dap/index.ts';
import { type Act, examples } from '../../act.ts';
import type { Session } from '../../session.ts';
import { bytesText, countText, printable } from '../../text.ts';
import { type Access, withAccess } from './access.ts';
import { addTableOptions, type TableOptions } from './options.ts';
import { eachTable, type TableAtWork } from './tables.ts';

interface DataOptions extends TableOptions {
  readonly format: Format;
}

interface IncrementalOptions extends DataOptions {
  readonly since: string;
  readonly until?: string;
}

export const snapshotCommand = (act: Act): Command =>
  withFormat(addTableOptions(new Command('snapshot').description('save the present state of tables')))
    .addHelpText(
      'after',
      examples(
        'dap snapshot --namespace canvas --table users',
        'dap snapshot --namespace canvas --table users,courses --format parquet --json',
      ),
    )
    .action(
      act<[], DataOptions>((session, _args, options) => saveTables(session, options, { format: options.format })),
    );

export const incrementalCommand = (act: Act): Command =>
  withFormat(addTableOptions(new Command('incremental').description('save what changed in tables since an instant')))
    .requiredOption(
      '--since <instant>',
      'up to where the last snapshot or incremental went, such as 2026-01-05T00:00:00Z',
    )
    .option('--until <instant>', 'up to here; default up to what there is')
    .addHelpText(
      'after',
      examples(
        'dap incremental --namespace canvas --table users --since 2026-01-05T08:15:00.273Z',
        'dap incremental --namespace canvas --table all --since 2026-01-05T10:00:00+02:00 --format tsv',
      ),
    )
    .action(
      act<[], IncrementalOptions>((session, _args, { since, until, ...options }) =>
        saveTables(session, options, { format: options.format, since, ...(until === undefined ? {} : { until }) }),
      ),
    );

const withFormat = (command: Command): Command =>
  command.addOption(
    new Option('--format <format>', 'of the files').choices(['csv', 'jsonl', 'parquet', 'tsv']).default('jsonl'),
  );

async function saveTables(session: Session, options: DataOptions, query: Query): Promise<number> {
  const { queryBody } = await import('../../../shared/clients/dap/query.ts');
  queryBody(query); // before anything is sent, and not once for each table
  return withAccess(session, options, (access) =>
    eachTable(session, access, options, 'download of data', (at) => saveTable(session, access, options, query, at)),
  );
}

async function saveTable(
  session: Session,
  { dap, signal, logger }: Access,
  { namespace, outputDirectory }: DataOptions,
  query: Query,
  { table, nameWidth, say }: TableAtWork,
): Promise<void> {
  let bytes = 0;
  const result = await dap.downloadTableData(namespace, table, query, outputDirectory, false, {
    signal,
    onJob({ id, status }) {
      say(`job ${printable(status)}`);
      logger.info('job', { table, jobId: id, status });
    },
    onProgress(progress) {
      ({ bytes } = progress);
      say(`${countText(progress.filesDone)} of ${countText(progress.files)} files, ${bytesText(bytes)}`);
    },
  });
  const { schemaVersion, jobId, downloadedFiles: files } = result;
  const timestamp = String(result.timestamp);
  logger.info('data saved', { table, jobId, timestamp, files: files.length, bytes });
  if (session.json) {
    const job = jobId === '' ? {} : { jobId };
    return session.printJson({ namespace, table, ...query, ...job, schemaVersion, timestamp, files, bytes });
  }
  await session.print(`${printable(table).padEnd(nameWidth)}  ${resultText(result, bytes)}\n`);
}

function resultText(
  { timestamp, schemaVersion, jobId, downloadedFiles: files }: DownloadTableDataResult,
  bytes: number,
) {
  const upTo = `up to ${printable(String(timestamp))}`;
  if (jobId === '') return `${upTo}  nothing new`;
  const count = `${countText(files.length)} ${files.length === 1 ? 'file' : 'files'}`;
  return [upTo, `schema ${schemaVersion}`, count, bytesText(bytes), ...files.slice(0, 1).map(folderOf)].join('  ');
}

/** All files of a job are in one folder. */
const folderOf = (file: string): string => dirname(file);
