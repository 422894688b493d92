import { describe, expect, it } from 'vitest';
import {
  DEFAULT_RETRY,
  type RecordResult,
  type UploadedBatch,
  type UploadRecord,
} from '../../../../shared/clients/dis/index.ts';
import { collect, failure, socketError } from '../../../support/client-calls.ts';
import { type Answer, fixture, refusal, type Sent, World } from './harness.ts';

interface Scenario {
  readonly name: string;
  readonly max_record_retries?: number;
  readonly steps: readonly {
    readonly send: readonly number[];
    readonly answer?: readonly string[];
    readonly transport_error?: string;
  }[];
  readonly result: readonly string[];
  readonly failed: number;
  readonly requests?: number;
}

const PARTITION = 'shardId-0000000000';
const entryOf = (text: string) =>
  text.startsWith('ok:')
    ? { partition_id: PARTITION, sequence_number: text.slice(3) }
    : { error_code: text, error_message: 'no' };
const textOf = ({ errorCode, sequenceNumber }: RecordResult) => errorCode ?? `ok:${sequenceNumber}`;
const answerOf = (entries: readonly string[]): Answer => ({
  body: {
    failed_record_count: entries.filter((entry) => !entry.startsWith('ok:')).length,
    records: entries.map(entryOf),
  },
});

/** The texts that a request holds. */
function dataOf({ body }: Sent): string[] {
  const { records } = body as { records: { data: string }[] };
  return records.map(({ data }) => Buffer.from(data, 'base64').toString());
}

const texts = (count: number, more: Omit<UploadRecord, 'data'> = {}): UploadRecord[] =>
  Array.from({ length: count }, (_, at) => ({ ...more, data: `r${at}` }));

/** Stores everything, with numbers in the order in which it came. */
function storing(): (sent: Sent) => Answer {
  let next = 0;
  return (sent) => answerOf(dataOf(sent).map(() => `ok:${next++}`));
}

describe('partial failure', () => {
  const { scenarios } = fixture<{ scenarios: Scenario[] }>('upload-retry');

  it.each(scenarios.map((one) => [one.name, one] as const))('%s', async (_name, one) => {
    const records = { ...DEFAULT_RETRY.records, repeats: one.max_record_retries ?? DEFAULT_RETRY.records.repeats };
    const noRequests = { ...DEFAULT_RETRY.requests, repeats: 0 };
    const world = new World(
      (_sent, count) => {
        const { answer } = one.steps[count - 1]!;
        return answer ? answerOf(answer) : socketError('ECONNRESET');
      },
      { retry: { records, requests: noRequests } },
    );

    const result = await world.client.uploadData('s', { records: texts(one.steps[0]!.send.length) });

    expect(world.sent.map(dataOf)).toEqual(one.steps.map(({ send }) => send.map((index) => `r${index}`)));
    expect(result.records.map(textOf)).toEqual(one.result);
    expect(result.failedRecordCount).toBe(one.failed);
  });

  it('throws if the very first request fails as a whole', async () => {
    const world = new World(() => refusal('DIS.4301', 'Stream does not exist.'));

    expect((await failure(world.client.uploadData('s', { records: texts(3) }))).name).toBe('NotFoundError');
  });

  it('tells what is known when a later batch fails as a whole', async () => {
    const store = storing();
    const world = new World((sent, count) => (count === 1 ? store(sent) : refusal('DIS.4301', 'gone')));

    const result = await world.client.uploadData('s', { records: texts(5), maxBatchRecords: 2, concurrency: 1 });

    expect(result.records.map(textOf)).toEqual(['ok:0', 'ok:1', 'DIS.4301', 'DIS.4301', 'DIS.4301']);
    expect(result.failedRecordCount).toBe(3);
  });

  it('waits 50 ms, then ever longer, and anew whenever a record got through', async () => {
    const answers = [['DIS.4303', 'DIS.4303'], ['DIS.4303', 'DIS.4303'], ['DIS.4303', 'ok:1'], ['ok:2']];
    const world = new World((_sent, count) => answerOf(answers[count - 1]!));

    await world.client.uploadData('s', { records: texts(2) });

    expect(world.slept).toEqual([50, 75, 50]);
  });

  it('goes on as long as some get through', async () => {
    const world = new World((sent) => answerOf(dataOf(sent).map((_text, at) => (at === 0 ? 'ok:1' : 'DIS.4303'))));

    const { failedRecordCount } = await world.client.uploadData('s', { records: texts(30) });

    expect(failedRecordCount).toBe(0);
    expect(world.sent).toHaveLength(30);
  });
});

describe('batches', () => {
  it('are cut at 500 records', async () => {
    const world = new World(storing());

    const { records } = await world.client.uploadData('s', { records: texts(1201), concurrency: 1 });

    expect(world.sent.map((sent) => dataOf(sent).length)).toEqual([500, 500, 201]);
    expect(records).toHaveLength(1201);
  });

  it.each([
    ['COMMON', undefined, [3, 3, 1]],
    ['ADVANCED', undefined, [7]],
    ['COMMON', 700_000, [2, 2, 2, 1]],
  ] as const)('of a %s stream, at most %s bytes', async (streamType, maxBatchBytes, expected) => {
    const world = new World(storing());
    const records = Array.from({ length: 7 }, () => ({ data: Buffer.alloc(349_525) }));

    await world.client.uploadData('s', { records, streamType, maxBatchBytes, concurrency: 1 });

    expect(world.sent.map((sent) => dataOf(sent).length)).toEqual(expected);
  });

  it('several are under way at a time, no more than asked for', async () => {
    const store = storing();
    let now = 0;
    let most = 0;
    const world = new World(async (sent) => {
      now += 1;
      most = Math.max(most, now);
      await new Promise(setImmediate);
      now -= 1;
      return store(sent);
    });

    await world.client.uploadData('s', { records: texts(40), maxBatchRecords: 2, concurrency: 3 });

    expect(most).toBe(3);
  });

  it('an endless source is read no further than its batches', async () => {
    const world = new World(storing());
    let read = 0;
    function* endless() {
      for (;;) yield { data: `r${read++}` };
    }

    for await (const { indices } of world.client.uploadBatches('s', endless(), { maxBatchRecords: 10 })) {
      if (indices[0]! >= 1000) break;
    }

    expect(read).toBeLessThan(1200);
  });

  it('tell up to where everything is settled', async () => {
    const store = storing();
    const world = new World(async (sent) => {
      if (dataOf(sent).includes('r0')) for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
      return store(sent);
    });

    const batches = await collect(world.client.uploadBatches('s', texts(6), { maxBatchRecords: 2, concurrency: 3 }));

    const seen = new Set<number>();
    for (const { indices, settledBefore } of batches) {
      for (const index of indices) seen.add(index);
      for (let index = 0; index < settledBefore; index += 1) expect(seen).toContain(index);
    }
    expect(batches[0]!.settledBefore).toBe(0);
    expect(batches.at(-1)!.settledBefore).toBe(6);
  });

  it('of a source that fails are told of first', async () => {
    const world = new World(storing());
    async function* breaking() {
      yield* texts(5);
      throw new Error('the source broke');
    }
    const told: UploadedBatch[] = [];

    const error = await failure(
      (async () => {
        for await (const batch of world.client.uploadBatches('s', breaking(), { maxBatchRecords: 2 })) told.push(batch);
      })(),
    );

    expect(error.message).toBe('the source broke');
    expect(told.flatMap(({ indices }) => indices).sort()).toEqual([0, 1, 2, 3]);
  });

  it('end with the reason of the caller’s signal', async () => {
    const stop = new AbortController();
    const world = new World((sent, count) => {
      if (count === 2) stop.abort(new Error('enough'));
      return storing()(sent);
    });

    const upload = world.client.uploadData('s', { records: texts(90), maxBatchRecords: 10, signal: stop.signal });

    expect((await failure(upload)).message).toBe('enough');
  });
});

describe('order', () => {
  const keyed = (...keys: string[]): UploadRecord[] =>
    keys.map((key, at) => ({ data: `${key}${at}`, partitionKey: key }));

  it('a failed record holds back what follows it on its key, and nothing else', async () => {
    const answers = [
      ['DIS.4303', 'ok:0', 'ok:1', 'ok:2'],
      ['ok:3', 'ok:4'],
    ];
    const world = new World((_sent, count) => answerOf(answers[count - 1]!));

    const { records } = await world.client.uploadData('s', { records: keyed('a', 'b', 'a', 'b'), ordered: true });

    expect(world.sent.map(dataOf)).toEqual([
      ['a0', 'b1', 'a2', 'b3'],
      ['a0', 'a2'],
    ]);
    expect(records.map(textOf)).toEqual(['ok:3', 'ok:0', 'ok:4', 'ok:2']);
  });

  it('with the number of partitions, keys of one partition count as one', async () => {
    const answers = [
      ['DIS.4303', 'ok:0'],
      ['ok:1', 'ok:2'],
    ];
    const world = new World((_sent, count) => answerOf(answers[count - 1]!));

    await world.client.uploadData('s', { records: keyed('a', 'b'), ordered: true, partitionCount: 1 });

    expect(world.sent.map(dataOf)).toEqual([
      ['a0', 'b1'],
      ['a0', 'b1'],
    ]);
  });

  it('what follows a record that failed for good is not sent', async () => {
    const retry = { ...DEFAULT_RETRY, records: { repeats: 0, firstMs: 1, maxMs: 1 } };
    const world = new World((sent) => answerOf(dataOf(sent).map((text) => (text === 'a0' ? 'DIS.4303' : 'ok:1'))), {
      retry,
    });

    const records = keyed('a', 'b', 'a', 'b');
    const result = await world.client.uploadData('s', { records, ordered: true, maxBatchRecords: 1, concurrency: 4 });

    expect(result.records.map(textOf)).toEqual(['DIS.4303', 'ok:1', 'DisHeldBack', 'ok:1']);
    expect(world.sent.flatMap(dataOf).sort()).toEqual(['a0', 'b1', 'b3']);
  });

  it('requests of one key never race, and those of others do', async () => {
    const stored: string[] = [];
    const underWay = new Set<string>();
    let most = 0;
    const world = new World(async (sent) => {
      const keys = new Set(dataOf(sent).map((text) => text[0]!));
      for (const key of keys) expect(underWay).not.toContain(key);
      for (const key of keys) underWay.add(key);
      most = Math.max(most, underWay.size);
      await new Promise(setImmediate);
      for (const key of keys) underWay.delete(key);
      stored.push(...dataOf(sent));
      return answerOf(dataOf(sent).map(() => 'ok:1'));
    });
    const records = keyed(...Array.from({ length: 400 }, (_, at) => 'abcdefgh'[(at * 7) % 8]!));

    await world.client.uploadData('s', { records, ordered: true, maxBatchRecords: 5, concurrency: 4 });

    expect(most).toBeGreaterThan(1);
    for (const key of 'abcdefgh') {
      const numbers = stored.filter((text) => text.startsWith(key)).map((text) => Number(text.slice(1)));
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    }
    expect(stored).toHaveLength(400);
  });

  it('records without a key are spread over all lanes', async () => {
    let now = 0;
    let most = 0;
    const world = new World(async (sent) => {
      most = Math.max(most, ++now);
      await new Promise(setImmediate);
      now -= 1;
      return answerOf(dataOf(sent).map(() => 'ok:1'));
    });

    await world.client.uploadData('s', { records: texts(60), ordered: true, maxBatchRecords: 5, concurrency: 4 });

    expect(most).toBe(4);
  });
});

describe('records that could only be refused', () => {
  const MAX = 1_048_576;

  it.each([
    ['bytes', { data: Buffer.alloc(MAX + 1) }],
    ['text by its length in UTF-8', { data: `${'ü'.repeat(MAX / 2)}x` }],
    ['base64 by what it holds', { data: Buffer.alloc(MAX + 1).toString('base64'), encoding: 'base64' }],
  ] as const)('too large: %s', async (_what, record) => {
    const world = new World(storing());

    const error = await failure(world.client.uploadData('s', { records: [...texts(700), record, ...texts(3)] }));

    expect(error).toMatchObject({ name: 'RecordTooLargeError', index: 700, sizeBytes: MAX + 1, retryable: false });
    expect(error.message).toBe('record 700: must be at most 1048576 bytes of data, got 1048577');
    expect(world.sent).toEqual([]);
  });

  it('one of exactly the limit is sent, and its key is not counted', async () => {
    const world = new World(storing());

    await world.client.uploadData('s', { records: [{ data: Buffer.alloc(MAX), partitionKey: 'k' }] });

    expect(world.sent).toHaveLength(1);
  });

  it.each([
    [{ data: '' }, 'record 1: must have data, got none'],
    [{ data: new Uint8Array() }, 'record 1: must have data, got none'],
    [{ data: 'a=b=', encoding: 'base64' }, 'record 1: data must be base64'],
    [{ data: 'abc', encoding: 'base64' }, 'record 1: data must be base64'],
    [{ data: 5 as unknown as string }, 'record 1: data must be bytes or text, got number'],
    [{ data: 'a', explicitHashKey: '-1' }, 'record 1: explicitHashKey must be a whole number, 0 to 2^63 - 1'],
    [{ data: 'a', explicitHashKey: 2n ** 63n }, 'record 1: explicitHashKey must be a whole number, 0 to 2^63 - 1'],
    [{ data: 'a', timestamp: 1.5 }, 'record 1: timestamp must be a whole number, 0 to 2^63 - 1'],
  ] as [UploadRecord, string][])('%o', async (record, message) => {
    const world = new World(storing());

    const error = await failure(world.client.uploadData('s', { records: [{ data: 'a' }, record] }));

    expect(error).toMatchObject({ name: 'InvalidRecordError', index: 1, message });
    expect(world.sent).toEqual([]);
  });

  it('an upload of nothing is sent, for the service to judge', async () => {
    const world = new World(() => refusal('DIS.4202', 'Empty request.'));

    expect((await failure(world.client.uploadData('s', { records: [] }))).name).toBe('InvalidRequestError');
  });

  it('an upload of neither records nor a file', async () => {
    const world = new World(storing());

    expect((await failure(world.client.uploadData('s', {}))).name).toBe('InvalidAttributeError');
  });
});
