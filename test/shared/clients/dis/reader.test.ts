import { describe, expect, it } from 'vitest';
import type { CursorStart, DisRecord, LostRange, ReadOptions } from '../../../../shared/clients/dis/index.ts';
import { collect, failure } from '../../../support/client-calls.ts';
import { type Answer, refusal, type Sent, World } from './harness.ts';

/** One partition that is read by cursors of the form `number/issued at`. */
class FakePartition {
  oldest = 0;
  next = 0;
  sizeBytes = 10;
  /** Records of one answer. */
  perAnswer = 3;
  readonly world: World;
  readonly starts: CursorStart[] = [];
  readonly fetches: { readonly at: number; readonly max: number }[] = [];
  onFetch: (at: number) => Answer | undefined = () => undefined;

  constructor(next: number) {
    this.next = next;
    this.world = new World((sent) => (sent.path.endsWith('/cursors') ? this.#cursor(sent) : this.#records(sent)));
  }

  read(options: ReadOptions = {}): AsyncGenerator<DisRecord> {
    return this.world.client.readRecords('s', 0, options);
  }

  async numbers(options: ReadOptions): Promise<number[]> {
    return (await collect(this.read(options))).map(({ sequenceNumber }) => Number(sequenceNumber));
  }

  #cursor({ query }: Sent): Answer {
    const type = query['cursor-type'] as CursorStart['cursorType'];
    const number = query['starting-sequence-number'];
    this.starts.push({ cursorType: type, ...(number !== undefined && { startingSequenceNumber: number }) });
    const after = type === 'AFTER_SEQUENCE_NUMBER' ? 1 : 0;
    const at = type === 'TRIM_HORIZON' ? this.oldest : type === 'LATEST' ? this.next : Number(number) + after;
    if (at < this.oldest || at > this.next) return refusal('DIS.4224', 'Sequence_number out of range.');
    return { body: { partition_cursor: this.#issue(at) } };
  }

  #issue(at: number): string {
    return `${at}/${this.world.clock.nowMs}`;
  }

  #records({ query }: Sent): Answer {
    const [at = 0, issuedAtMs = 0] = query['partition-cursor']!.split('/').map(Number);
    const max = Number(query.max_fetch_bytes ?? 1_000_000);
    this.fetches.push({ at, max });
    const special = this.onFetch(at);
    if (special) return special;
    if (this.world.clock.nowMs - issuedAtMs > 300_000) return refusal('DIS.4225', 'Expired partition cursor.');
    if (at < this.oldest) return refusal('DIS.4226', 'Expired.');
    const count = Math.min(this.perAnswer, this.next - at, Math.floor(max / this.sizeBytes));
    const records = Array.from({ length: count }, (_, k) => ({
      sequence_number: String(at + k),
      data: Buffer.from(`r${at + k}`).toString('base64'),
    }));
    return { body: { records, next_partition_cursor: this.#issue(at + count) } };
  }
}

const upTo = (end: number, start = 0) => Array.from({ length: end - start }, (_, at) => start + at);

describe('reading a partition', () => {
  it('yields every record in order, from the oldest to the end', async () => {
    const partition = new FakePartition(10);
    partition.oldest = 2;

    expect(await partition.numbers({ stopAtEnd: true })).toEqual(upTo(10, 2));
  });

  it.each([
    [{ cursorType: 'AT_SEQUENCE_NUMBER', startingSequenceNumber: 4n }, upTo(8, 4)],
    [{ cursorType: 'AFTER_SEQUENCE_NUMBER', startingSequenceNumber: 4 }, upTo(8, 5)],
    [{ startingSequenceNumber: '7' }, [7]],
  ] as [CursorStart, number[]][])('a range from %o', async (from, expected) => {
    const partition = new FakePartition(20);

    expect(await partition.numbers({ from, until: 8n })).toEqual(expected);
  });

  it('an empty range asks for nothing', async () => {
    const partition = new FakePartition(20);

    expect(await partition.numbers({ from: { startingSequenceNumber: 8n }, until: 8n })).toEqual([]);
    expect(partition.world.sent).toEqual([]);
  });

  it('a range ends without asking for more', async () => {
    const partition = new FakePartition(20);

    await partition.numbers({ until: 6n });

    expect(partition.fetches.map(({ at }) => at)).toEqual([0, 3]);
  });

  it('waits a second for new records, and is left by breaking off', async () => {
    const partition = new FakePartition(2);
    const seen: number[] = [];

    for await (const { sequenceNumber } of partition.read()) {
      seen.push(Number(sequenceNumber));
      if (seen.length === 2) partition.next = 4;
      if (seen.length === 4) break;
    }

    expect(seen).toEqual(upTo(4));
    expect(new Set(partition.world.slept)).toEqual(new Set(partition.world.slept.length === 0 ? [] : [1000]));
  });

  it('reads one answer ahead and no more', async () => {
    const partition = new FakePartition(1000);

    const reading = partition.read();
    await reading.next();
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);

    expect(partition.fetches).toHaveLength(2);
    await reading.return(undefined);
  });

  it('yields a record once, although a cursor gives it twice', async () => {
    const partition = new FakePartition(6);
    let isFirst = true;
    partition.onFetch = (at) => {
      if (at !== 3 || !isFirst) return undefined;
      isFirst = false;
      return {
        body: {
          records: [2, 3].map((number) => ({ sequence_number: String(number), data: 'eA==' })),
          next_partition_cursor: `4/${partition.world.clock.nowMs}`,
        },
      };
    };

    expect(await partition.numbers({ until: 6n })).toEqual(upTo(6));
  });
});

describe('cursors', () => {
  it('are renewed when they are 270 seconds old', async () => {
    const partition = new FakePartition(9);
    const reading = partition.world.client.readPages('s', 0, { until: 9n });

    await reading.next();
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
    partition.world.clock.advance(270_000);
    await collect(reading);

    expect(partition.starts).toEqual([
      { cursorType: 'TRIM_HORIZON' },
      { cursorType: 'AFTER_SEQUENCE_NUMBER', startingSequenceNumber: '5' },
    ]);
  });

  it('that have expired are replaced by one behind the last record', async () => {
    const partition = new FakePartition(9);
    let isFirst = true;
    partition.onFetch = (at) => {
      if (at !== 3 || !isFirst) return undefined;
      isFirst = false;
      return refusal('DIS.4225', 'Expired partition cursor.');
    };

    expect(await partition.numbers({ until: 9n })).toEqual(upTo(9));
    expect(partition.starts[1]).toEqual({ cursorType: 'AFTER_SEQUENCE_NUMBER', startingSequenceNumber: '2' });
  });

  it('that expire before the first record begin where they were to', async () => {
    const partition = new FakePartition(9);
    partition.onFetch = () => (partition.fetches.length === 1 ? refusal('DIS.4225', 'Expired.') : undefined);

    await partition.numbers({ from: { startingSequenceNumber: 5n }, until: 9n });

    expect(partition.starts.map(({ startingSequenceNumber }) => startingSequenceNumber)).toEqual(['5', '5']);
  });

  it('that expire whatever is done end the reading', async () => {
    const partition = new FakePartition(9);
    partition.onFetch = () => refusal('DIS.4225', 'Expired.');

    expect((await failure(partition.numbers({}))).name).toBe('ExpiredCursorError');
    expect(partition.fetches.length).toBeLessThan(6);
  });

  it.each([
    ['of a deleted stream', 'DIS.4301', 'NotFoundError'],
    ['of a stream created again', 'DIS.4217', 'InvalidCursorError'],
    ['of a partition that has expired', 'DIS.4319', 'GoneError'],
  ])('%s end it', async (_what, code, name) => {
    const partition = new FakePartition(9);
    partition.onFetch = (at) => (at === 3 ? refusal(code) : undefined);

    expect((await failure(partition.numbers({}))).name).toBe(name);
  });
});

describe('a position that is lost', () => {
  function aging(): FakePartition {
    const partition = new FakePartition(12);
    partition.onFetch = (at) => {
      if (at === 3) partition.oldest = 8;
      return undefined;
    };
    return partition;
  }

  it('is an error unless told otherwise', async () => {
    expect(await failure(aging().numbers({ stopAtEnd: true }))).toMatchObject({ name: 'ExpiredPositionError' });
  });

  it.each([
    ['earliest', [...upTo(3), ...upTo(12, 8)], { from: 3n, to: 8n }],
    ['latest', upTo(3), { from: 3n, to: undefined }],
  ] as const)('%s goes on there, and says what is lost', async (onLost, expected, range) => {
    const told: LostRange[] = [];

    const numbers = await aging().numbers({ stopAtEnd: true, onLost, lost: (lost) => void told.push(lost) });

    expect(numbers).toEqual(expected);
    expect(told).toEqual([range]);
  });

  it('is found out when the first cursor is fetched, too', async () => {
    const partition = new FakePartition(12);
    partition.oldest = 8;
    const told: LostRange[] = [];

    const from = { startingSequenceNumber: 5n };
    const numbers = await partition.numbers({
      from,
      until: 12n,
      onLost: 'earliest',
      lost: (lost) => void told.push(lost),
    });

    expect(numbers).toEqual(upTo(12, 8));
    expect(told).toEqual([{ from: 5n, to: 8n }]);
    expect((await failure(partition.numbers({ from }))).name).toBe('OutOfRangeError');
  });
});

describe('an answer without records', () => {
  it('raises the size that was asked for, as the next record may be larger', async () => {
    const partition = new FakePartition(4);
    partition.sizeBytes = 1000;

    expect(await partition.numbers({ until: 4n, maxFetchBytes: 100 })).toEqual(upTo(4));
    expect(partition.fetches.map(({ max }) => max)).toEqual([100, 2_097_152, 2_097_152]);
  });

  it('although records are due is an error in the end', async () => {
    const partition = new FakePartition(4);

    const error = await failure(partition.numbers({ until: 6n }));

    expect(error).toMatchObject({ name: 'StalledReadError', retryable: true });
    expect(error.message).toBe('partition 0 of s: no record although those up to 6 are due');
  });
});

describe('sequence numbers beyond 2^53', () => {
  it.each([
    ['as the service writes them', '"9223372036854775806"'],
    ['as numbers', '9223372036854775806'],
    ['as numbers behind a space', ' 9223372036854775806'],
  ])('%s', async (_what, number) => {
    const text = `{"records":[{"data":"eA==","sequence_number":${number},"timestamp":"1527577402541"}],"next_partition_cursor":"N"}`;
    const world = new World(() => ({ body: text }));

    const { records } = await world.client.downloadData('c');

    expect(records).toEqual([
      { sequenceNumber: 9223372036854775806n, data: Buffer.from('x'), timestamp: 1527577402541 },
    ]);
  });
});

describe('protobuf', () => {
  it('asks for it and reads what comes, JSON included', async () => {
    const world = new World(() => ({ body: { records: [], next_partition_cursor: 'N' } }), {
      recordFormat: 'protobuf',
    });
    world.sent.length = 0;

    expect(await world.client.downloadData('c')).toEqual({ records: [], nextPartitionCursor: 'N' });
    expect(world.sent[0]!.headers.get('content-type')).toBe('application/x-protobuf; charset=utf-8');
  });
});
