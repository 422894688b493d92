import { Vector } from 'apache-arrow';
import { Parser } from 'htmlparser2';
import { decodeStream } from '../arrow/decode.ts';
import { storedForm } from '../arrow/types.ts';
import { badRequest } from '../errors.ts';
import { type Reply, text, xml } from '../replies.ts';
import type { Instance } from '../sql/instances.ts';
import { readScan } from '../tables/scan.ts';
import { element } from './metadata.ts';

/**
 * The statement and the task's name of an XML job.
 *
 * @throws {ServiceError} if there is no SQL task in it
 */
export function parseJob(body: string): { readonly statement: string; readonly taskName: string } {
  const path: string[] = [];
  const found = { Query: '', Name: '' };
  const parser = new Parser(
    {
      onopentagname: (name) => path.push(name),
      onclosetag: () => path.pop(),
      ontext: (part) => {
        const name = path.at(-1);
        if (path.at(-2) === 'SQL' && (name === 'Query' || name === 'Name')) found[name] += part;
      },
    },
    { xmlMode: true },
  );
  parser.end(body);
  if (found.Query.trim() === '') throw badRequest('the job has no SQL task', 'InvalidArgument');
  return { statement: found.Query.trim(), taskName: found.Name.trim() || 'AnonymousSQLTask' };
}

/** `GET …/instances/{id}` and its questions. A job is over when it can be asked about. */
export async function describeInstance(
  instance: Instance,
  query: ReadonlyMap<string, string>,
  bareDecimalBits: 128 | 256,
): Promise<Reply> {
  const { taskName, outcome, startedAtMs } = instance;
  const times = {
    'x-odps-start-time': new Date(startedAtMs).toUTCString(),
    'x-odps-end-time': new Date(startedAtMs).toUTCString(),
  };
  const hasFailed = 'error' in outcome;
  if (query.has('taskstatus')) {
    const status = element('Status', hasFailed ? 'Failed' : 'Success');
    const task = `<Task Type="SQL">${element('Name', taskName)}${status}</Task>`;
    return xml(`<Instance>${element('Status', 'Terminated')}<Tasks>${task}</Tasks></Instance>`, times);
  }
  if (query.has('result')) {
    const result = hasFailed ? outcome.error.message : await csv(instance, bareDecimalBits);
    const inner = `<Result Format="text"><![CDATA[${result.replaceAll(']]>', ']]]]><![CDATA[>')}]]></Result>`;
    return xml(
      `<Instance><Tasks><Task Type="SQL">${element('Name', taskName)}${inner}</Task></Tasks></Instance>`,
      times,
    );
  }
  if (query.has('source')) {
    const sql = `<SQL>${element('Name', taskName)}<Query><![CDATA[${instance.statement}]]></Query></SQL>`;
    return xml(`<Job><Priority>9</Priority><Tasks>${sql}</Tasks></Job>`);
  }
  if (
    query.has('instancesummary') ||
    query.has('taskdetail2') ||
    query.has('instancedetail') ||
    query.has('instanceprogress')
  ) {
    return text(200, '{}', { 'content-type': 'application/json' });
  }
  return xml(`<Instance>${element('Status', 'Terminated')}</Instance>`, times);
}

export function listInstances(instances: readonly Instance[]): Reply {
  const items = instances.map(
    ({ id, startedAtMs }) =>
      `<Instance>${element('Name', id)}${element('Owner', 'owner')}${element('StartTime', new Date(startedAtMs).toUTCString())}${element('Status', 'Terminated')}</Instance>`,
  );
  return xml(`<Instances><Marker/><MaxItems>1000</MaxItems>${items.join('')}</Instances>`);
}

const CSV_ROWS_MAX = 10_000;

/** The rows of a query as text, no more than the service gives out this way. */
async function csv({ outcome }: Instance, bareDecimalBits: 128 | 256): Promise<string> {
  if ('error' in outcome || !outcome.result) return '';
  const { scan, rows } = outcome.result;
  const options = {
    ...{ form: storedForm(bareDecimalBits), maxBatchRows: 4096, maxBatchBytes: 0, skip: 0 },
    limit: Math.min(rows, CSV_ROWS_MAX),
  };
  const lines = [scan.columns.map(({ name }) => quoted(name)).join(',')];
  for await (const item of decodeStream(readScan(scan, [[0, scan.rows]], options))) {
    if (!('rows' in item)) continue;
    const vectors = item.columns.map((data) => new Vector([data]));
    for (let row = 0; row < item.rows; row++) lines.push(vectors.map((vector) => cell(vector.get(row))).join(','));
  }
  return `${lines.join('\n')}\n`;
}

const quoted = (value: string): string => `"${value.replaceAll('"', '""')}"`;

function cell(value: unknown): string {
  if (value === null) return '\\N';
  if (typeof value === 'string') return quoted(value);
  return value instanceof Uint8Array ? quoted(Buffer.from(value).toString('utf8')) : String(value);
}

/** What a new job is answered: where it is, and nothing else. */
export const created = (location: string): Reply => ({ status: 201, headers: { location }, body: '' });
