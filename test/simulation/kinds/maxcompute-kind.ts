import { maxcompute } from '../../../shared/connectors/maxcompute/maxcompute.ts';
import type { MaxComputeOptions } from '../../../shared/connectors/maxcompute/options.ts';
import { MaxComputeReadConnector } from '../../../shared/connectors/maxcompute/read-connector.ts';
import type { PipelineTasks } from '../../../shared/jobs/deps.ts';
import { definePipeline, type Pipeline, type PipelineOptions } from '../../../shared/pipelines/define.ts';
import { Violation } from '../world.ts';
import type { Caller, Kind, KindParts, Landing } from './kind.ts';
import { MaxComputeService, type ReadSession, splitOf } from './maxcompute-service.ts';
import { TOKEN } from './redactor.ts';
import { CREDENTIALS, tasksOver } from './tasks.ts';
import type { ShownLeaf, View } from './views.ts';

export const MAXCOMPUTE_SECRET = JSON.stringify({ bearerToken: TOKEN });
const STARTS_PER_MINUTE = 60;
const OPTIONS: MaxComputeOptions = {
  project: 'project',
  endpoint: 'https://simulated.invalid/api',
  startsPerMinute: STARTS_PER_MINUTE,
};

/** Tables of a MaxCompute-like project, in splits: a table is shown as one session has it, or the one before. Source and job connector are the real ones. */
export class MaxComputeKind implements Kind {
  readonly startIntervalMs = 60_000 / STARTS_PER_MINUTE;
  readonly #parts: KindParts;
  readonly #service: MaxComputeService;
  readonly #options: Partial<PipelineOptions>;
  readonly #source: MaxComputeOptions;
  /** By session: its rows that have landed, by their place. */
  readonly #landed = new Map<string, Set<number>>();
  #shown = new Map<string, readonly string[]>();

  constructor(parts: KindParts, options: Partial<PipelineOptions>) {
    const { random } = parts;
    this.#parts = parts;
    this.#options = options;
    const incremental = random.chance(0.5);
    this.#source = { ...OPTIONS, split: { rows: random.pick([1, 2, 3]) }, batchRows: random.pick([1, 2]), incremental };
    this.#service = new MaxComputeService(parts, ['t0', 't1'].slice(0, random.pick([1, 1, 1, 2])), random.chance(0.8));
    this.#service.onSession = (session) => this.#opened(session);
  }

  pipeline(caller: Caller): Pipeline {
    const source = maxcompute(this.#source, { client: () => this.#service.client(caller), clock: caller.task.clock });
    return { ...PIPELINE, ...this.#options, source } as Pipeline;
  }

  tasks(caller: Caller): PipelineTasks {
    const connector = new MaxComputeReadConnector({ client: () => this.#service.client(caller) });
    return tasksOver(connector, caller, MAXCOMPUTE_SECRET);
  }

  change(): string {
    return this.#service.change();
  }

  calm(): void {}

  starts(): number {
    return this.#service.starts;
  }

  landed({ path, fingerprint, content }: Landing): void {
    const { session, rows } = splitOf(content);
    const known = this.#service.sessions.get(session);
    if (!known || !fingerprint.startsWith(`${session}/`))
      throw new Violation(`4: ${path.join('/')} was listed as ${fingerprint}, and is of ${session}`);
    const landed = this.#landed.get(session) ?? new Set<number>();
    this.#landed.set(session, landed);
    for (const row of rows) {
      const place = known.rows.indexOf(row);
      if (place < 0) throw new Violation(`4: ${path.join('/')} holds ${row}, which its session does not`);
      landed.add(place);
    }
    this.#parts.seen('split landed');
  }

  /** Changes are asked for since a version only once all up to it is there. */
  #opened({ id: opened, table, tableId, since }: ReadSession): void {
    this.#parts.seen(since === undefined ? 'session opened' : 'increment opened');
    if (since === undefined) return;
    const hasLanded = ({ id, version, rows }: ReadSession) =>
      version === since && rows.every((_, row) => this.#landed.get(id)?.has(row));
    const known = [...this.#service.sessions.values()].filter((one) => one.table === table && one.id !== opened);
    const ofThis = known.filter((one) => one.tableId === tableId);
    if (ofThis.some(hasLanded)) return;
    // Made anew after it was listed: a request names no table but by its name, however often its job is tried. What is asked for
    // is what came since the one before was read, and the next listing sees that it is another.
    if (ofThis.every((one) => one.since !== undefined) && known.some(hasLanded)) {
      this.#parts.seen('increment of a table made anew');
      return;
    }
    throw new Violation(`5: changes of ${table} since ${since} are asked for, and not all before has landed`);
  }

  shown(view: View): void {
    const shown = new Map<string, readonly string[]>();
    for (const [table, leaves] of Map.groupBy(view.leaves, ({ path }) => path[0]!)) {
      const jobs = Map.groupBy(leaves, ({ path }) => (path.length > 2 ? path[1]! : ''));
      shown.set(
        table,
        [...jobs].flatMap(([job, all]) => this.#job(`${table}/${job}`, all)),
      );
    }
    this.#shown = shown;
  }

  /** Of a session all rows are shown, in order, or none. */
  #job(name: string, leaves: readonly ShownLeaf[]): readonly string[] {
    const splits = [...leaves]
      .sort((a, b) => (a.path.at(-1)! < b.path.at(-1)! ? -1 : 1))
      .map(({ content }) => splitOf(content));
    const sessions = new Set(splits.map(({ session }) => session));
    const [id] = sessions;
    if (sessions.size > 1) throw new Violation(`4: ${name} shows splits of ${[...sessions].join(' and ')}`);
    const rows = splits.flatMap((split) => split.rows);
    const session = this.#service.sessions.get(id!)!;
    if (rows.join() !== session.rows.join())
      throw new Violation(`4: ${name} shows ${rows.length} rows of ${id}, which has ${session.rows.length}`);
    return rows;
  }

  lacks(): string | undefined {
    for (const table of this.#service.names()) {
      const shown = (this.#shown.get(table) ?? []).join();
      const holds = this.#service.rowsAt(table).join();
      if (shown !== holds) return `table ${table} shows ${shown}, and holds ${holds}`;
    }
    return undefined;
  }

  end(): void {}
}

const PIPELINE = definePipeline({ name: 'p', source: maxcompute(OPTIONS), credentials: CREDENTIALS });
