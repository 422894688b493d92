import { type DapOptions, dap } from '../../../shared/connectors/dap/dap.ts';
import { DapQueryConnector } from '../../../shared/connectors/dap/query-connector.ts';
import type { PipelineTasks } from '../../../shared/jobs/deps.ts';
import { definePipeline, type Pipeline, type PipelineOptions } from '../../../shared/pipelines/define.ts';
import { Violation } from '../world.ts';
import { apply, DapService, type Rows } from './dap-service.ts';
import type { Caller, Kind, KindParts, Landing } from './kind.ts';
import { TOKEN } from './redactor.ts';
import { CREDENTIALS, tasksOver } from './tasks.ts';
import type { ShownLeaf, View } from './views.ts';

export const DAP_SECRET = `client:${TOKEN}`;
const STARTS_PER_MINUTE = 6;
const DAP_OPTIONS: DapOptions = { namespace: 'canvas', startsPerMinute: STARTS_PER_MINUTE };

/** How a table is shown: by which query it is up to where, and what its files add up to. */
interface TableShown {
  readonly loadedAt: number;
  readonly at: number;
  readonly rows: Rows;
}

/** Tables of a DAP-like service: a snapshot opens a generation, then increments from the watermark. Source and job connector are the real ones. */
export class DapKind implements Kind {
  readonly startIntervalMs = 60_000 / STARTS_PER_MINUTE;
  readonly #parts: KindParts;
  readonly #service: DapService;
  readonly #options: Partial<PipelineOptions>;
  /** By job: the numbers of its files that have landed. */
  readonly #landed = new Map<string, Set<number>>();
  #shown = new Map<string, TableShown>();

  constructor(parts: KindParts, options: Partial<PipelineOptions>) {
    this.#parts = parts;
    this.#options = options;
    this.#service = new DapService(parts, ['t0', 't1'].slice(0, parts.random.pick([1, 1, 1, 2])));
    this.#service.onQuery = (table, since) => this.#queried(table, since);
  }

  pipeline(caller: Caller): Pipeline {
    const source = dap(DAP_OPTIONS, { session: () => this.#service.session(caller) });
    return { ...PIPELINE, ...this.#options, source } as Pipeline;
  }

  tasks(caller: Caller): PipelineTasks {
    const connector = new DapQueryConnector({ session: () => this.#service.session(caller) });
    return tasksOver(connector, caller, DAP_SECRET);
  }

  change(): string {
    return this.#service.change();
  }

  calm(): void {}

  starts(): number {
    return this.#service.starts;
  }

  landed({ path, content }: Landing): void {
    if (path.at(-1) === 'schema.json') return;
    const { job, file } = headerOf(content);
    const files = this.#landed.get(job) ?? new Set<number>();
    this.#landed.set(job, files.add(file));
    this.#parts.seen('file landed');
  }

  /** A query since a watermark says that all before it is there. */
  #queried(table: string, since: number | undefined): void {
    this.#parts.seen(since === undefined ? 'snapshot queried' : 'increment queried');
    if (since === undefined) return;
    for (const [id, job] of this.#service.jobs)
      if (job.table === table && job.at === since && job.files.every((_, file) => this.#landed.get(id)?.has(file)))
        return;
    throw new Violation(`5: table ${table} is asked for what came since ${since}, and not all before has landed`);
  }

  shown(view: View): void {
    const shown = new Map<string, TableShown>();
    for (const [table, leaves] of Map.groupBy(view.leaves, ({ path }) => path[0]!))
      shown.set(table, this.#table(table, leaves));
    for (const [table, before] of this.#shown) {
      const now = shown.get(table);
      // A table that was emptied, and then read whole, has no files.
      if (!now || now.at === 0) continue;
      if (now.loadedAt < before.loadedAt || (now.loadedAt === before.loadedAt && now.at < before.at))
        throw new Violation(`4: the manifest goes back on ${table} from ${before.at} to ${now.at}`);
    }
    this.#shown = shown;
  }

  /** A snapshot, then increments without a gap and without an overlap; of each job all or nothing. */
  #table(table: string, leaves: readonly ShownLeaf[]): TableShown {
    const rows = new Map<string, string>();
    let last: { loadedAt: number; at: number } | undefined;
    const queries = Map.groupBy(leaves, ({ path }) => path[1]!);
    for (const [query, all] of queries) {
      const files = all.filter(({ path }) => path[2] !== 'schema.json');
      if (files.length === 0) continue;
      const jobs = new Set(files.map(({ content }) => headerOf(content).job));
      const [id] = jobs;
      const job = this.#service.jobs.get(id!)!;
      const numbers = files.map(({ content }) => headerOf(content).file);
      if (jobs.size > 1 || new Set(numbers).size !== files.length || files.length !== job.files.length)
        throw new Violation(
          `4: of ${table}/${query} a manifest shows the files ${numbers.join()} of ${[...jobs].join()}, which made ${job.files.length}`,
        );
      const { since, at, loadedAt } = job;
      if (since === undefined ? last !== undefined : !last && this.#hadRows(table, loadedAt, since))
        throw new Violation(
          `4: a manifest shows ${table}/${query} ${last ? 'within a generation' : 'without a snapshot'}`,
        );
      const from = last?.at ?? since ?? at;
      if (since !== undefined && last && last.loadedAt !== loadedAt)
        throw new Violation(`4: a manifest shows ${table}/${query}, which is of another load than what is before it`);
      if (since !== undefined && since < from) throw new Violation(`1: ${table}/${query} overlaps what is before it`);
      if (
        since !== undefined &&
        loadedAt === this.#service.loadedAt(table) &&
        this.#service.hasChanges(table, from, since)
      )
        throw new Violation(`4: a manifest shows a gap before ${table}/${query}`);
      for (const { content } of files) for (const line of linesOf(content)) apply(rows, line);
      last = { loadedAt, at };
    }
    return { ...(last ?? { loadedAt: 0, at: 0 }), rows };
  }

  /** What was empty when it was read has no files, so an increment may be the first that is shown. */
  #hadRows(table: string, loadedAt: number, at: number): boolean {
    return loadedAt === this.#service.loadedAt(table) && this.#service.rowsAt(table, at).size > 0;
  }

  lacks(): string | undefined {
    for (const table of this.#service.names()) {
      const rows = this.#shown.get(table)?.rows ?? new Map<string, string>();
      const now = this.#service.rowsAt(table, Number.POSITIVE_INFINITY);
      if (told(rows) !== told(now)) return `table ${table} shows ${told(rows)}, and holds ${told(now)}`;
    }
    return undefined;
  }

  end(): void {}
}

const PIPELINE = definePipeline({
  name: 'p',
  source: dap(DAP_OPTIONS),
  credentials: CREDENTIALS,
  removeGraceHours: 24,
});

interface Header {
  readonly job: string;
  readonly file: number;
}

const headerOf = (content: string): Header => JSON.parse(content.slice(0, content.indexOf('\n'))) as Header;

function linesOf(content: string): { key: string; value?: string }[] {
  const [, ...lines] = content.trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as { key: string; value?: string });
}

const told = (rows: Rows): string => JSON.stringify([...rows].sort());
