import { longPartitionId } from '../../../shared/clients/dis/partition.ts';
import { type DisOptions, dis } from '../../../shared/connectors/dis/dis.ts';
import { definePipeline, type Pipeline, type PipelineOptions } from '../../../shared/pipelines/define.ts';
import { Violation } from '../world.ts';
import { type CommittedCheckpoint, DisService, dataOf, type Partition } from './dis-service.ts';
import type { Caller, Kind, KindParts, Landing } from './kind.ts';
import { TOKEN } from './redactor.ts';
import { CREDENTIALS } from './tasks.ts';
import type { View } from './views.ts';

export const DIS_SECRET = JSON.stringify({ token: TOKEN, projectId: 'project' });
const DIS_OPTIONS: DisOptions = { stream: 's', app: 'app', endpoint: 'https://simulated.invalid' };

/** Sequence numbers `[from, to)` of one partition that have landed. */
interface Range {
  readonly from: number;
  readonly to: number;
}

/** The partitions of a DIS-like stream as feeds of ranges: each record lands once, or is reported as lost. The source is the real one. */
export class DisKind implements Kind {
  readonly #parts: KindParts;
  readonly #service: DisService;
  readonly #options: Partial<PipelineOptions>;
  readonly #recordsPerRange: number;
  /** By stream and partition. */
  readonly #landed = new Map<string, Range[]>();
  #shownTo = new Map<string, { readonly streamId: string; readonly to: number }>();

  constructor(parts: KindParts, options: Partial<PipelineOptions>) {
    this.#parts = parts;
    this.#options = options;
    this.#recordsPerRange = parts.random.pick([1, 2, 3, 100]);
    this.#service = new DisService(parts);
    this.#service.onCheckpoint = (checkpoint) => this.#committed(checkpoint);
  }

  pipeline(caller: Caller): Pipeline {
    const options = { ...DIS_OPTIONS, recordsPerRange: this.#recordsPerRange };
    const source = dis(options, { client: () => this.#service.client(caller), clock: caller.task.clock });
    return { ...PIPELINE, ...this.#options, source } as Pipeline;
  }

  change(): string {
    return this.#service.change();
  }

  calm(): void {}

  /** What was planned of a stream that is no more, where the one that has its name now begins no generation there. */
  mayStayFailed(): boolean {
    return this.#service.hasBeenMadeAnew;
  }

  /** The records of a range in order; what is missing is told, and has aged out. */
  landed({ path, fingerprint, isForced, content, facts }: Landing): void {
    const { streamId, partition, from, to } = rangeOf(fingerprint);
    const known = this.#partition(streamId, partition);
    const lost = lostIn(facts);
    const numbers = content.split('\n').flatMap((line) => {
      if (line === '') return [];
      const { sequenceNumber, data } = JSON.parse(line) as { sequenceNumber: string; data: string };
      const number = Number(sequenceNumber);
      if (Buffer.from(data, 'base64').toString() !== dataOf(streamId, partition, number))
        throw new Violation(`4: ${path.join('/')} holds ${Buffer.from(data, 'base64').toString()} as ${number}`);
      return [number];
    });
    const covered = [...numbers, ...lost].sort((a, b) => a - b);
    const wanted = Array.from({ length: to - from }, (_, index) => from + index);
    if (covered.join() !== wanted.join())
      throw new Violation(
        `1: ${path.join('/')} holds ${numbers.join()} and reports ${lost.join()} as lost of ${from} to ${to}`,
      );
    for (const number of lost)
      if (number >= known.oldest)
        throw new Violation(`1: ${path.join('/')} reports ${number} as lost, and it can still be read`);
    if (lost.length > 0) this.#parts.seen('records lost and reported');
    const key = `${streamId} ${partition}`;
    const ranges = this.#landed.get(key) ?? [];
    if (isForced && ranges.some((one) => one.from === from && one.to === to)) return;
    if (ranges.some((one) => one.from < to && from < one.to))
      throw new Violation(`1: records of ${path.join('/')} landed twice`);
    ranges.push({ from, to });
    this.#landed.set(key, ranges);
    this.#parts.seen('range landed');
  }

  #partition(streamId: string, number: number): Partition {
    return this.#service.partitions.find((one) => one.streamId === streamId && one.number === number)!;
  }

  /** All before the checkpoint is there, or could not be read any more before reading began. */
  #committed({ partition, sequenceNumber }: CommittedCheckpoint): void {
    this.#parts.seen('checkpoint');
    const missing = this.#firstMissing(partition, sequenceNumber);
    if (missing === undefined) return;
    // A checkpoint names no stream: one that was on its way when the stream was made anew is of the one before.
    const before = this.#service.partitions.filter(({ number }) => number === partition.number);
    if (before.some((one) => one !== partition && this.#firstMissing(one, sequenceNumber) === undefined)) return;
    throw new Violation(
      `5: partition ${partition.number} is committed up to ${sequenceNumber}, and ${missing} has not landed`,
    );
  }

  #firstMissing({ streamId, number, oldest }: Partition, upTo: number): number | undefined {
    const ranges = this.#landed.get(`${streamId} ${number}`) ?? [];
    const first = Math.min(...ranges.map(({ from }) => from));
    for (let at = 0; at <= upTo; at++) {
      const isThere = ranges.some(({ from, to }) => from <= at && at < to);
      if (!isThere && !(at < first && at < oldest)) return at;
    }
    return undefined;
  }

  shown(view: View): void {
    const shownTo = new Map<string, { streamId: string; to: number }>();
    for (const { path, fingerprint } of view.leaves) {
      const { streamId, from, to } = rangeOf(fingerprint);
      const feed = path[0]!;
      const before = shownTo.get(feed);
      if (before && before.streamId !== streamId) throw new Violation(`4: ${feed} shows two streams`);
      if (before && before.to !== from) throw new Violation(`4: ${feed} shows ${from} after ${before.to}`);
      shownTo.set(feed, { streamId, to });
    }
    for (const [feed, before] of this.#shownTo) {
      const now = shownTo.get(feed);
      if (before.streamId !== this.#service.streamId) continue;
      if (!now || (now.streamId === before.streamId && now.to < before.to))
        throw new Violation(`4: the manifest goes back on ${feed} from ${before.to} to ${now?.to}`);
    }
    this.#shownTo = shownTo;
  }

  lacks(): string | undefined {
    for (const { streamId, number, status, oldest, next } of this.#service.now()) {
      if (status === 'EXPIRED') continue;
      const shown = this.#shownTo.get(longPartitionId(number));
      const isShown = shown?.streamId === streamId;
      if (isShown ? shown.to !== next : oldest !== next)
        return `partition ${number} of ${streamId} is shown up to ${isShown ? shown.to : 'nothing'}, and goes to ${next}`;
    }
    return undefined;
  }

  end(): void {}
}

const PIPELINE = definePipeline({ name: 'p', source: dis(DIS_OPTIONS), credentials: CREDENTIALS });

function rangeOf(fingerprint: string): { streamId: string; partition: number; from: number; to: number } {
  const [streamId, shard, from, to] = fingerprint.split(' ') as [string, string, string, string];
  return { streamId, partition: Number(shard.slice('shardId-'.length)), from: Number(from), to: Number(to) };
}

function lostIn(facts: unknown): number[] {
  const { lost = [] } = (facts ?? {}) as { lost?: { from: string; to: string }[] };
  return lost.flatMap(({ from, to }) =>
    Array.from({ length: Number(to) - Number(from) }, (_, at) => Number(from) + at),
  );
}
