import type {
  BytesConnector,
  Chunks,
  Listing,
  ListingConnector,
  RecordsConnector,
} from '../shared/connectors/connector.ts';
import type { ConnectorService } from '../shared/connectors/service.ts';
import type { Objects, ObjectWriter } from '../shared/landing/objects.ts';
import type { ShardKey } from '../shared/nodes/store.ts';
import { type PartitionRecord, PartitionStore } from '../shared/partitions/store.ts';
import type { RefreshDeps } from '../shared/refresh/deps.ts';
import type { Change, Table } from '../shared/tables/table.ts';
import type { Output } from './io.ts';
import { bytesText, countText } from './text.ts';

/** What was seen of a pipeline's run in this process. */
interface Seen {
  listed: number;
  landed: number;
  failed: number;
  bytes: number;
}

/**
 * Counts what passes the ports of a refresh, so that the steps need not know that somebody watches. Only what this process
 * does is seen; the run's record is what counts in the end.
 */
export class Watch {
  readonly seen = new Map<string, Seen>();

  of(pipeline: string): Seen {
    let seen = this.seen.get(pipeline);
    if (!seen) {
      seen = { listed: 0, landed: 0, failed: 0, bytes: 0 };
      this.seen.set(pipeline, seen);
    }
    return seen;
  }

  watched(deps: RefreshDeps, partitions: Table): RefreshDeps {
    return {
      ...deps,
      connectors: watchedConnectors(deps.connectors, this),
      partitions: new WatchedPartitions(partitions, this),
      objects: watchedObjects(deps.objects, this),
    };
  }
}

function watchedConnectors(connectors: ConnectorService, watch: Watch): ConnectorService {
  return {
    async open(pipeline, signal) {
      const { connector, context } = await connectors.open(pipeline, signal);
      const count = () => {
        watch.of(pipeline.name).listed += 1;
      };
      const common: ListingConnector<unknown> = {
        context: (credentials, run) => connector.context(credentials, run),
        listObjects: (...args) => counted(connector.listObjects(...args), count),
        ...(connector.acknowledge ? { acknowledge: (...args) => connector.acknowledge!(...args) } : {}),
      };
      const watched: BytesConnector | RecordsConnector =
        connector.kind === 'records'
          ? {
              ...common,
              kind: 'records',
              ...(connector.typing ? { typing: connector.typing } : {}),
              readRecords: (...args) => connector.readRecords(...args),
            }
          : { ...common, readBytes: (...args): Chunks => connector.readBytes(...args) };
      return { connector: watched, context };
    },
    close: () => connectors.close(),
  };
}

/** What is no listing passes as it is: who takes it says what is wrong with it. */
function counted(listing: Listing, count: () => void): Listing {
  if (listing !== null && typeof listing === 'object') {
    if (Symbol.asyncIterator in listing) return countedAsync(listing, count);
    if (Symbol.iterator in listing) return countedSync(listing, count);
  }
  return listing;
}

async function* countedAsync<T>(items: AsyncIterable<T>, count: () => void): AsyncGenerator<T> {
  for await (const item of items) {
    count();
    yield item;
  }
}

function* countedSync<T>(items: Iterable<T>, count: () => void): Generator<T> {
  for (const item of items) {
    count();
    yield item;
  }
}

class WatchedPartitions extends PartitionStore {
  readonly #watch: Watch;

  constructor(table: Table, watch: Watch) {
    super(table);
    this.#watch = watch;
  }

  override async changeIfDue(
    shard: ShardKey,
    claim: Parameters<PartitionStore['changeIfDue']>[1],
    change: Change,
  ): Promise<PartitionRecord | undefined> {
    const changed = await super.changeIfDue(shard, claim, change);
    const seen = this.#watch.of(shard.pipeline);
    if (changed && change.set?.landed !== undefined) seen.landed += 1;
    if (changed && change.set?.failed !== undefined) seen.failed += 1;
    return changed;
  }
}

function watchedObjects(objects: Objects, watch: Watch): Objects {
  return {
    ...objects,
    create(key, options) {
      const writer: ObjectWriter = objects.create(key, options);
      const [pipeline, place] = key.split('/', 2);
      if (place !== 'data') return writer;
      const seen = watch.of(pipeline!);
      return {
        async write(chunk) {
          await writer.write(chunk);
          seen.bytes += chunk.byteLength;
        },
        close: () => writer.close(),
        abort: () => writer.abort(),
      };
    },
  };
}

const DRAW_EVERY_MS = 100;
const UP_AND_CLEAR = '\u001b[1A\u001b[2K';

/** Lines on a terminal, drawn over and over, and gone in the end. */
export class ProgressLines {
  readonly #out: Output;
  readonly #linesNow: () => readonly string[];
  readonly #timer: NodeJS.Timeout;
  #drawn = 0;

  constructor(out: Output, linesNow: () => readonly string[]) {
    this.#out = out;
    this.#linesNow = linesNow;
    this.#timer = setInterval(() => this.#draw(), DRAW_EVERY_MS);
    this.#timer.unref();
  }

  /** Takes the lines away, for others to write; they come back with the next drawing. */
  clear(): void {
    void this.#out.write(UP_AND_CLEAR.repeat(this.#drawn));
    this.#drawn = 0;
  }

  end(): void {
    clearInterval(this.#timer);
    this.clear();
  }

  #draw(): void {
    const lines = this.#linesNow().map((line) => line.slice(0, this.#out.columns - 1));
    void this.#out.write(UP_AND_CLEAR.repeat(this.#drawn) + lines.map((line) => `${line}\n`).join(''));
    this.#drawn = lines.length;
  }
}

/** One line for each of these pipelines of which something was seen. */
export function linesOf(pipelines: readonly string[], watch: Watch): string[] {
  const shown = pipelines.filter((name) => watch.seen.has(name));
  const width = Math.max(0, ...shown.map((name) => name.length));
  return shown.map((name) => lineOf(name.padEnd(width), watch.of(name)));
}

function lineOf(name: string, { listed, landed, failed, bytes }: Seen): string {
  const facts = [`${countText(listed)} listed`, `${countText(landed)} landed`, bytesText(bytes)];
  if (failed > 0) facts.push(`${countText(failed)} failed`);
  return `${name}  ${facts.join(', ')}`;
}
