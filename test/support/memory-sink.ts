import type { Guarantee, SinkSession, StreamSink, UploadPartition } from '../../shared/sinks/sink.ts';
import { pathOf } from './scripted-source.ts';

/** Where an upload is just now; a hook may move the clock, count, or throw. */
export interface SinkPoint {
  readonly call: 'open' | 'begin' | 'upload' | 'batch' | 'remove' | 'generation' | 'commit';
  readonly path: string;
  readonly row?: number;
}

/** A sink in memory: what it holds by path, and every row it was ever given. */
export class MemorySink {
  readonly guarantee: Guarantee;
  /** What a reader of the sink sees. */
  readonly held = new Map<string, string[]>();
  /** Rows in the order they came, repeats included. */
  readonly rows: string[] = [];
  readonly calls: string[] = [];
  onCall: (at: SinkPoint) => void | Promise<void> = () => {};
  parallel = 1;
  atomic = false;
  batchRows = 2;

  constructor(guarantee: Guarantee = 'at-least-once') {
    this.guarantee = guarantee;
  }

  sink(name = 'memory'): StreamSink {
    const { guarantee, parallel, atomic } = this;
    return { type: 'memory', name, guarantee, parallel, atomic, open: async () => this.#session() };
  }

  async #session(): Promise<SinkSession> {
    await this.#at({ call: 'open', path: '' });
    return {
      begin: async ({ id }) => this.#at({ call: 'begin', path: id }),
      upload: (partition) => this.#upload(partition),
      remove: async ({ path }) => {
        await this.#at({ call: 'remove', path: pathOf(path) });
        this.held.delete(pathOf(path));
      },
      beginGeneration: async ({ path, id }) => this.#at({ call: 'generation', path: `${pathOf(path)} begins ${id}` }),
      finishGeneration: async ({ path, id }) => this.#at({ call: 'generation', path: `${pathOf(path)} is ${id}` }),
      commit: async () => this.#at({ call: 'commit', path: '' }),
      close: async () => {},
    };
  }

  async #upload(partition: UploadPartition): Promise<void> {
    const path = pathOf(partition.path);
    await this.#at({ call: 'upload', path });
    if (partition.committedRow === 0) this.held.set(path, []);
    for await (const { rows, firstRow } of partition.rows({ fromRow: partition.committedRow })) {
      for (let at = 0; at < rows.length; at += this.batchRows) {
        if (partition.signal.aborted) return;
        const batch = rows.slice(at, at + this.batchRows).map((row) => row.map(String).join());
        await this.#at({ call: 'batch', path, row: firstRow + at });
        this.rows.push(...batch.map((row) => `${path}:${row}`));
        this.held.get(path)?.push(...batch);
        await partition.committed(firstRow + at + batch.length);
      }
    }
  }

  async #at(point: SinkPoint): Promise<void> {
    this.calls.push(point.path === '' ? point.call : `${point.call} ${point.path}`);
    await this.onCall(point);
  }
}
