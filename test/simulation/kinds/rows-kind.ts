import type { BytesConnector, ListRun, Metadata, ReadRun } from '../../../shared/connectors/connector.ts';
import { SourceChangedError, SourceRefusedError } from '../../../shared/connectors/connector.ts';
import { RetryableError } from '../../../shared/core/errors.ts';
import { definePipeline, type Pipeline, type PipelineOptions } from '../../../shared/pipelines/define.ts';
import { Violation } from '../world.ts';
import type { Caller, Kind, KindParts, Landing } from './kind.ts';
import { Service } from './service.ts';
import { CREDENTIALS } from './tasks.ts';
import type { View } from './views.ts';

interface Leaf {
  readonly fingerprint: string;
  readonly content: string;
}

/** A source of rows: leaves that change, come and go, and a feed with generations. What it is good for is what sinks make of it. */
export class RowsKind extends Service implements Kind {
  readonly #options: Partial<PipelineOptions>;
  readonly #leaves = new Map<string, Leaf>();
  readonly #ranges = new Map<string, string>();
  readonly #hasFeed: boolean;
  #generation = 1;
  /** Rows of the present generation; those before `snapshotTo` came with it. */
  #latest = 0;
  #snapshotTo = 0;
  #versions = 0;

  constructor(parts: KindParts, options: Partial<PipelineOptions>) {
    super(parts, {
      lost: () => new RetryableError('the source did not answer'),
      busy: () => new RetryableError('the source is busy'),
    });
    this.#options = options;
    this.#hasFeed = parts.random.chance(0.6);
    this.#latest = parts.random.int(0, 4);
    for (let leaves = parts.random.int(this.#hasFeed ? 0 : 1, 3); leaves > 0; leaves--) this.#put();
  }

  pipeline(caller: Caller): Pipeline {
    return { ...PIPELINE, ...this.#options, source: { ...SOURCE, connector: this.#connector(caller) } } as Pipeline;
  }

  change(): string {
    const { random } = this.parts;
    if (this.#hasFeed && random.chance(0.5)) {
      this.#latest += random.int(1, 5);
      if (random.chance(0.3)) {
        this.#generation += 1;
        this.#snapshotTo = this.#latest;
      }
      return `the feed has ${this.#latest} rows of generation ${this.#generation}`;
    }
    const names = [...this.#leaves.keys()];
    if (names.length > 0 && random.chance(0.3)) {
      const name = random.pick(names);
      this.#leaves.delete(name);
      return `leaf ${name} goes`;
    }
    return `leaf ${this.#put()}`;
  }

  #put(): string {
    const { random } = this.parts;
    const name = `l${random.int(0, 3)}`;
    // What was there before may come back.
    this.#versions += 1;
    const version = random.chance(0.15) ? 1 : this.#versions;
    const rows = version === 1 ? 2 : random.pick([0, 1, 2, 3, 5, 8]);
    const content = Array.from({ length: rows }, (_, row) => rowText(`${name}-${row}`, `v${version}-${row}`)).join('');
    this.#leaves.set(name, { fingerprint: `f${version}`, content });
    return name;
  }

  calm(): void {}

  landed(_landing: Landing): void {
    this.parts.seen('rows landed');
  }

  shown(view: View): void {
    const feed = view.leaves.filter(({ feed }) => feed !== undefined);
    if (new Set(feed.map(({ generation }) => generation)).size > 1)
      throw new Violation('4: a manifest shows two generations of the feed');
    let to = 0;
    for (const { path } of feed) {
      const [, from, end] = path[1]!.split('-').map(Number) as [number, number, number];
      if (from !== to) throw new Violation(`4: a manifest shows ${path.join('/')} after the rows up to ${to}`);
      to = end;
    }
  }

  lacks(view: View | undefined): string | undefined {
    const shown = new Map(
      (view?.leaves ?? []).filter(({ feed }) => !feed).map((leaf) => [leaf.path[0]!, leaf.content]),
    );
    for (const [name, { content }] of this.#leaves)
      if (shown.get(name) !== content) return `leaf ${name} is not as it is`;
    for (const name of shown.keys()) if (!this.#leaves.has(name)) return `leaf ${name} is shown, and gone`;
    if (!this.#hasFeed || this.#latest === 0) return undefined;
    const last = view?.leaves.findLast(({ feed }) => feed !== undefined);
    const upTo = last?.generation === `G${this.#generation}` ? Number(last.path[1]!.split('-')[2]) : 0;
    return upTo === this.#latest ? undefined : `the feed is shown up to ${upTo} of ${this.#latest}`;
  }

  end(): void {}

  #connector({ task }: Caller): BytesConnector {
    const ask = (what: string) =>
      this.call(
        task,
        () => what,
        () => {},
      );
    return {
      context: () => ({}),
      listObjects: (_context, metadata, run) => (metadata ? this.#listFeed(ask, run) : this.#listRoot(ask)),
      readBytes: (_context, metadata, run) => this.#read(ask, metadata, run),
    };
  }

  async *#listRoot(ask: (what: string) => Promise<void>) {
    await ask('lists leaves');
    for (const [name, { fingerprint }] of [...this.#leaves].sort(([a], [b]) => (a < b ? -1 : 1)))
      yield { name, fingerprint, isPrefix: false };
    if (this.#hasFeed) yield { name: 'feed', fingerprint: '', isPrefix: true, kind: 'feed' };
  }

  async *#listFeed(ask: (what: string) => Promise<void>, run: ListRun) {
    await ask('lists the feed');
    const { random } = this.parts;
    const position = run.resumeFrom as { generation: number; at: number } | undefined;
    const [generation, latest, snapshotTo] = [this.#generation, this.#latest, this.#snapshotTo];
    let at = position?.generation === generation ? position.at : 0;
    while (at < latest) {
      const to =
        at < snapshotTo ? Math.min(snapshotTo, at + random.int(1, 6)) : Math.min(latest, at + random.int(1, 4));
      const name = `g${generation}-${at}-${to}`;
      const rows = Array.from({ length: to - at }, (_, row) =>
        rowText(`k${(at + row) % 4}`, `g${generation}-${at + row}`),
      );
      this.#ranges.set(name, rows.join(''));
      yield { name, fingerprint: name, isPrefix: false, generation: `G${generation}` };
      at = to;
      await run.checkpoint({ generation, at });
    }
  }

  async *#read(ask: (what: string) => Promise<void>, { name, fingerprint }: Metadata, run: ReadRun) {
    await ask(`reads ${run.path.join('/')}`);
    const range = run.path.length > 1 ? this.#ranges.get(name) : undefined;
    const leaf = this.#leaves.get(name);
    if (range === undefined && !leaf) throw new SourceRefusedError(`there is no ${name}`);
    if (range === undefined && leaf!.fingerprint !== fingerprint) throw new SourceChangedError(`${name} has changed`);
    yield range ?? leaf!.content;
  }
}

const rowText = (key: string, value: string) => `${JSON.stringify({ k: key, v: value })}\n`;

const SOURCE = {
  type: 'rows',
  identity: {},
  connector: { context: () => ({}), listObjects: nothing, readBytes: nothing } satisfies BytesConnector,
};
async function* nothing(): AsyncGenerator<never> {}

const PIPELINE = definePipeline({
  name: 'p',
  source: SOURCE,
  credentials: CREDENTIALS,
  failurePolicy: 'partition',
  // Typed, so that nothing is guessed from a few rows.
  land: {
    parser: {
      format: 'ndjson',
      columns: [
        { sourceName: 'k', type: 'string' },
        { sourceName: 'v', type: 'string' },
      ],
    },
  },
} as PipelineOptions);
