import { hash } from 'node:crypto';
import type { Item } from '../../../shared/tables/table.ts';
import type { ObjectWatch, SimulatedObjects } from '../objects.ts';
import type { SimulatedQueues } from '../queues.ts';
import type { SimulatedTables, Written } from '../tables.ts';
import { told } from '../tables.ts';
import { Violation } from '../world.ts';
import type { Kind } from './kind.ts';
import { TOKEN } from './redactor.ts';
import type { SinkSet } from './sinks.ts';
import { Reader, type View } from './views.ts';

export interface KindOracleOptions {
  readonly pipeline: string;
  readonly graceMs: number;
  readonly skewMs: number;
  readonly now: () => number;
  readonly step: () => number;
}

/** Watches what takes effect, whatever the kind of pipeline; what is to be read is judged by the kind itself. */
export class KindOracle implements ObjectWatch {
  readonly #options: KindOracleOptions;
  #tables!: SimulatedTables;
  #objects!: SimulatedObjects;
  #kind!: Kind;
  #sinks!: SinkSet;
  #reader!: Reader;
  published: View | undefined;
  /** By the key of the root's manifest. */
  readonly views = new Map<string, View>();
  readonly #began = new Map<number, number>();
  /** What somebody forced once: if that failed, it lands by a further try. */
  readonly #forced = new Set<string>();
  readonly #landings = new Set<string>();
  readonly #lastNeeded = new Map<string, number>();
  readonly #writers = new Map<string, object>();
  readonly #openJobs = new Set<string>();
  #startsReserved = 0;
  readonly states: Record<string, number> = {};
  landings = 0;

  constructor(options: KindOracleOptions) {
    this.#options = options;
  }

  connect(tables: SimulatedTables, objects: SimulatedObjects, kind: Kind, sinks: SinkSet): void {
    this.#tables = tables;
    this.#objects = objects;
    this.#kind = kind;
    this.#sinks = sinks;
    this.#reader = new Reader(objects);
  }

  seen(what: string): void {
    this.states[what] = (this.states[what] ?? 0) + 1;
  }

  // Tables

  wrote({ table, before, after }: Written): void {
    if (table === 'jobs') this.#job(before, after);
    if (!after) return;
    if (table === 'partitions') this.#partition(before, after);
    else if (table === 'runs') this.#run(before, after);
    else if (table === 'buckets') this.#bucket(before, after);
  }

  #partition(before: Item | undefined, after: Item): void {
    if (after.reason !== undefined && after.plan !== before?.plan) this.seen(`reason ${after.reason}`);
    const item = `${after.pk} ${after.sk}`;
    if (after.reason === 'FORCED') this.#forced.add(item);
    if (after.failed && !before?.failed) this.seen(`failed ${(after.error as { code?: string } | undefined)?.code}`);
    if (after.progress && !before?.progress) this.seen('long read');
    if (before?.due === undefined || after.due !== undefined || before.plan !== after.plan || !after.landed) return;
    const [pipeline, node] = after.pk.split('#');
    const landing = `${node} ${after.sk} ${after.plan}`;
    if (this.#landings.has(landing)) throw new Violation(`1: ${after.name} landed twice in plan ${after.plan}`);
    this.#landings.add(landing);
    this.landings += 1;
    const { objects, fingerprint, sha256, facts } = after.landed as unknown as LandedText;
    const above = (this.#tables.get('nodes', { pk: `${pipeline}#${node}`, sk: 'node' })?.path ?? []) as string[];
    const path = [...above, after.name as string];
    const data = this.#reader.bytesOf(objects.map(({ key }) => key));
    if (hash('sha256', data, 'hex') !== sha256)
      throw new Violation(`4: what landed of ${path.join('/')} is incomplete`);
    this.#kind.landed({ path, fingerprint, isForced: this.#forced.has(item), content: data.toString(), facts });
  }

  #run(before: Item | undefined, after: Item): void {
    if (after.sk.startsWith('sink#')) {
      this.#sinks.wrote(before, after);
      return;
    }
    if (after.sk === 'ACTIVE') {
      if (after.active === undefined || after.active === before?.active) return;
      const run = after.active as number;
      if (run !== ((before?.number as number | undefined) ?? 0) + 1)
        throw new Violation(`6: run ${run} follows ${before?.number}`);
      this.#began.set(run, this.#options.step());
      return;
    }
    if (before?.endedAt !== undefined && before.state !== after.state)
      throw new Violation(`6: run ${after.run} ended as ${before.state} and then as ${after.state}`);
    if (after.sk.startsWith('run#') && after.state !== before?.state) this.seen(`run ${after.state}`);
  }

  #job(before: Item | undefined, after: Item | undefined): void {
    const item = (after ?? before)!;
    if (!item.sk.startsWith('attempt#')) return;
    const id = `${item.pk} ${item.sk}`;
    if (after?.dueAt !== undefined) this.#openJobs.add(id);
    else this.#openJobs.delete(id);
    if (after && after.phase !== before?.phase) this.seen(`job ${after.phase}`);
    if (after?.spent && !before?.spent) this.seen('job spent');
    if (before?.status === 'DONE' && after && after.status !== 'DONE')
      throw new Violation(`6: the job ${id} was over, and is ${after.status}`);
  }

  /** Tokens of a shared bucket are handed out no faster than its rate, whoever asks and whatever his clock says. */
  #bucket(before: Item | undefined, after: Item): void {
    if (after.sk !== 'tokens' || !after.pk.includes('#start#')) return;
    const was = (before?.fullAt ?? 0) as number;
    const is = after.fullAt as number;
    this.#startsReserved += 1;
    if (is < was + this.#kind.startIntervalMs!)
      throw new Violation(`token bucket: ${after.pk} hands out a start ${is - was} ms after the one before`);
  }

  // Objects

  stored(key: string, data: Buffer, writer: object): void {
    const { pipeline } = this.#options;
    if (key === `${pipeline}/latest.json`) this.#publish(data);
    if (!key.startsWith(`${pipeline}/data/`)) return;
    const other = this.#writers.get(key);
    if (other && other !== writer) throw new Violation(`1: two writers of ${key}`);
    this.#writers.set(key, writer);
  }

  deleted(key: string): void {
    const { graceMs, skewMs, now } = this.#options;
    if (this.published?.objects.has(key)) throw new Violation(`4: ${key} is deleted, and the manifest names it`);
    const needed = this.#lastNeeded.get(key);
    if (needed !== undefined && now() - needed < graceMs - skewMs)
      throw new Violation(`7: ${key} is deleted ${Math.round((now() - needed) / 1000)} s after a reader could need it`);
  }

  #publish(data: Buffer): void {
    const latest = JSON.parse(data.toString()) as { run: number; manifest: string; files: Record<string, string> };
    const before = this.published;
    if (before && latest.run < before.run)
      throw new Violation(`4: latest.json goes back from run ${before.run} to ${latest.run}`);
    this.seen('published');
    const view = this.#reader.view(latest.run, latest.manifest, Object.values(latest.files));
    if (before)
      for (const key of before.objects) if (!view.objects.has(key)) this.#lastNeeded.set(key, this.#options.now());
    this.published = view;
    this.views.set(view.manifest, view);
    this.#kind.shown(view);
  }

  // At the end

  lastRun(): number {
    return [...this.#began.keys()].at(-1)!;
  }

  lastBegan(): number {
    return [...this.#began.values()].at(-1) ?? -1;
  }

  hasOpenJobs(): boolean {
    return this.#openJobs.size > 0;
  }

  stateOf(run: number): string | undefined {
    return this.#record(run)?.state;
  }

  #record(run: number): { state?: string; endedAt?: number } | undefined {
    const { pipeline } = this.#options;
    return this.#tables.get('runs', { pk: pipeline, sk: `run#${String(run).padStart(8, '0')}` }) as never;
  }

  /** What is shown is there to be read, also after all garbage has gone. */
  checkStanding(): void {
    const { published } = this;
    if (published)
      for (const key of published.objects) if (!this.#objects.bytes(key)) throw new Violation(`7: ${key} is gone`);
  }

  checkEnd(queues: SimulatedQueues): void {
    const starts = this.#kind.starts?.() ?? 0;
    if (starts > this.#startsReserved)
      throw new Violation(`token bucket: ${starts} starts, and ${this.#startsReserved} tokens`);
    for (const run of this.#began.keys()) {
      const record = this.#record(run);
      if (record?.endedAt === undefined) throw new Violation(`6: run ${run} has no end: ${told(record ?? null)}`);
    }
    if (queues.size > 0) throw new Violation('6: a message is left on a queue');
    for (const item of this.#tables.everything('jobs'))
      if (item.sk.startsWith('open#')) throw new Violation(`6: the job ${item.sk} is not over: ${told(item)}`);
    for (const item of this.#tables.everything('buckets'))
      if (item.sk === 'places' && Object.keys((item.holders ?? {}) as object).length > 0)
        throw new Violation(`6: a place is held for good: ${told(item)}`);
    this.#checkSecrets(queues);
  }

  #checkSecrets(queues: SimulatedQueues): void {
    for (const body of queues.bodies()) if (body.includes(TOKEN)) throw new Violation('8: a token is in a message');
    for (const table of ['nodes', 'partitions', 'runs', 'jobs'] as const)
      for (const item of this.#tables.everything(table))
        if (tells(item)) throw new Violation(`8: a token is stored in ${table}`);
  }
}

interface LandedText {
  readonly objects: readonly { readonly key: string }[];
  readonly fingerprint: string;
  readonly sha256: string;
  readonly reason: string;
  readonly facts?: unknown;
}

function tells(value: unknown): boolean {
  if (typeof value === 'string') return value.length >= TOKEN.length && value.includes(TOKEN);
  if (typeof value !== 'object' || value === null) return false;
  return [...(value instanceof Set ? value : Object.values(value))].some(tells);
}
