import type { Api } from '../../../../shared/clients/dis/api.ts';
import {
  ConnectionFailedError,
  type DisClient,
  ThrottledError,
  type UploadOptions,
  type UploadRecord,
} from '../../../../shared/clients/dis/index.ts';
import { Uploader } from '../../../../shared/clients/dis/upload.ts';
import { silentLogger } from '../../../../shared/core/logger.ts';
import { secret } from '../../../../shared/pipelines/define.ts';
import { disStream } from '../../../../shared/sinks/dis/sink.ts';
import type { StreamSink } from '../../../../shared/sinks/sink.ts';
import type { Task } from '../../world.ts';
import { Violation } from '../../world.ts';
import type { Caller, KindParts } from '../kind.ts';
import { TOKEN } from '../redactor.ts';
import { Service } from '../service.ts';
import type { Place } from '../sinks.ts';
import { countsOf, linesOf, type Transition } from '../transitions.ts';

const refusal = (code: string) => ({
  label: 'POST records',
  status: 400,
  serviceCode: code,
  serviceMessage: '',
  headers: {},
});

/** A stream of DIS: the real sink and the real uploader over a simulated service, which may refuse any record for the moment. */
export class StreamPlace extends Service implements Place {
  readonly name = 'stream';
  readonly secret = JSON.stringify({ token: TOKEN });
  received = 0;
  readonly #batchRecords: number;
  readonly #parallel: number;
  readonly #texts: string[] = [];
  /** Sessions that were opened, and requests that were sent for nothing: each may bring once more what was on its way. */
  #interruptions = 0;
  #requests = 0;
  #answered = 0;

  constructor(parts: KindParts) {
    super(parts, {
      lost: () => new ConnectionFailedError('the connection broke', { retryable: true }),
      busy: () => new ThrottledError(refusal('DIS.4303')),
    });
    this.#batchRecords = parts.random.pick([1, 2, 3]);
    this.#parallel = parts.random.pick([1, 2]);
  }

  sink(caller: Caller): StreamSink {
    const { name } = this;
    return disStream(
      {
        stream: 'out',
        credentials: secret(name),
        records: 'lines',
        batchRecords: this.#batchRecords,
        parallel: this.#parallel,
        name,
      },
      { client: () => this.#client(caller.task) },
    );
  }

  #client(task: Task): DisClient {
    const client: Pick<DisClient, 'getStream' | 'uploadBatches' | 'close'> = {
      getStream: () =>
        this.call(
          task,
          () => 'stream out',
          () => {
            this.#interruptions += 1;
            return { name: 'out', status: 'RUNNING', streamType: 'COMMON', writablePartitionCount: 2 };
          },
        ),
      uploadBatches: (streamName, records, options: UploadOptions = {}) =>
        new Uploader(this.#api(task), { streamName, streamId: undefined }, { ...options, maxBatchRecords: 2 }).batches(
          records as Iterable<UploadRecord>,
          options.signal ?? new AbortController().signal,
        ),
      close: async () => {},
    };
    return client as DisClient;
  }

  #api(task: Task): Api {
    const settings = {
      recordFormat: 'json',
      retry: { requests: { repeats: 0, firstMs: 0, maxMs: 0 }, records: { repeats: 1, firstMs: 100, maxMs: 1000 } },
      random: this.parts.random.next,
      logger: silentLogger,
    };
    const api: Pick<Api, 'send' | 'pause'> & { settings: object } = {
      settings,
      pause: (ms) =>
        task.call(
          () => `waits ${ms} ms`,
          () => {},
        ),
      send: async ({ body }, signal) => {
        signal.throwIfAborted();
        this.#requests += 1;
        const bytes = Buffer.from(
          await this.call(
            task,
            () => 'puts records',
            () => this.#put(body!),
            true,
          ),
        );
        this.#answered += 1;
        return { label: 'POST records', headers: new Headers(), bytes };
      },
    };
    return api as unknown as Api;
  }

  #put(body: Uint8Array): string {
    const { records } = JSON.parse(Buffer.from(body).toString()) as {
      records: { data: string; partition_key?: string }[];
    };
    const results = records.map(({ data, partition_key }) => {
      if (this.parts.troubles.strikes('record refused')) {
        this.#interruptions += 1;
        return { error_code: 'DIS.4303', error_message: 'too much' };
      }
      this.received += 1;
      this.#texts.push(`${partition_key} ${Buffer.from(data, 'base64').toString()}`);
      return { partition_id: 'shardId-0000000000', sequence_number: String(this.#texts.length) };
    });
    return JSON.stringify({ records: results });
  }

  /** Nothing is missing; what came again is no more than what was on its way when an upload was cut off. */
  check(applied: readonly Transition[]): void {
    const wanted = countsOf(
      applied.flatMap(({ uploads }) =>
        uploads.flatMap((leaf) => linesOf(leaf).map((line) => `${leaf.path.join('/')} ${line}`)),
      ),
    );
    const got = countsOf(this.#texts);
    let again = 0;
    for (const [text, count] of wanted) {
      const times = got.get(text) ?? 0;
      if (times < count) throw new Violation(`sink stream: ${text} came ${times} times of ${count}`);
      again += times - count;
    }
    for (const text of got.keys())
      if (!wanted.has(text)) throw new Violation(`sink stream: ${text} came, and was never shown`);
    const opened = this.#interruptions + (this.#requests - this.#answered);
    const most = opened * this.#batchRecords * this.#parallel;
    if (again > most)
      throw new Violation(
        `sink stream: ${again} rows came again, and at most ${most} may after ${opened} interruptions`,
      );
  }
}
