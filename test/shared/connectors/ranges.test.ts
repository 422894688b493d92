import { describe, expect, it } from 'vitest';
import { type RangeReaderOptions, rangeReader } from '../../../shared/connectors/ranges.ts';
import { RetryableError } from '../../../shared/core/errors.ts';
import { aRun, bytesOf } from '../../support/connector-run.ts';

const BODY = Buffer.from('0123456789');

/** A reader of ranges of four bytes; each fault changes one fetch, in order. */
function reader(...faults: ((bytes: Buffer) => AsyncIterable<Uint8Array>)[]) {
  const fetched: [number, number][] = [];
  const waits: number[] = [];
  const options: RangeReaderOptions = {
    async *fetchRange(start, end) {
      fetched.push([start, end]);
      const bytes = BODY.subarray(start, end);
      const fault = faults.shift();
      if (fault) yield* fault(bytes);
      else yield bytes;
    },
    sizeBytes: BODY.length,
    rangeBytes: 4,
    label: 'the source',
    random: () => 1,
    sleep: async (ms) => void waits.push(ms),
  };
  return { options, fetched, waits };
}

async function* short(bytes: Buffer) {
  yield bytes.subarray(0, 1);
}
async function* broken(bytes: Buffer) {
  yield bytes.subarray(0, 1);
  throw new RetryableError('broke');
}

describe('rangeReader', () => {
  it('reads range after range, with a checkpoint after each but the last', async () => {
    const { options, fetched } = reader();
    const { run, checkpoints } = aRun();

    expect(String(await bytesOf(rangeReader(options, run)))).toBe('0123456789');
    expect(fetched).toEqual([
      [0, 4],
      [4, 8],
      [8, 10],
    ]);
    expect(checkpoints).toEqual([{ offset: 4 }, { offset: 8 }]);
  });

  it('goes on from the cursor', async () => {
    const { options } = reader();

    expect(String(await bytesOf(rangeReader(options, aRun({ resumeFrom: { offset: 8 } }).run)))).toBe('89');
  });

  it('takes up a range that ends short or breaks', async () => {
    const { options, fetched, waits } = reader(short, broken);

    expect(String(await bytesOf(rangeReader(options, aRun().run)))).toBe('0123456789');
    expect(fetched.slice(0, 3)).toEqual([
      [0, 4],
      [1, 4],
      [2, 4],
    ]);
    expect(waits).toEqual([100, 200]);
  });

  it('tells a source that always ends short', async () => {
    async function* nothing() {}
    const { options } = reader(...Array(9).fill(nothing));

    await expect(bytesOf(rangeReader(options, aRun().run))).rejects.toMatchObject({
      name: 'SourceTruncatedError',
      message: 'the source: the range 0 to 4 ended at 0',
    });
  });

  it('tells a source that sends more than was asked for', async () => {
    async function* long() {
      yield BODY;
    }
    const { options } = reader(long);

    await expect(bytesOf(rangeReader(options, aRun().run))).rejects.toMatchObject({ name: 'SourceChangedError' });
  });

  it('passes what will not be better next time', async () => {
    // biome-ignore lint/correctness/useYield: it fails before it yields
    async function* refused(): AsyncGenerator<Uint8Array> {
      throw new Error('no');
    }
    const { options, fetched } = reader(refused);

    await expect(bytesOf(rangeReader(options, aRun().run))).rejects.toThrow('no');
    expect(fetched).toHaveLength(1);
  });

  it('ends the fetch when the consumer stops', async () => {
    let ended = false;
    const { options } = reader(async function* (bytes) {
      try {
        yield bytes;
      } finally {
        ended = true;
      }
    });

    for await (const _chunk of rangeReader(options, aRun().run)) break;

    expect(ended).toBe(true);
  });
});
