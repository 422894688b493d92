import type { RecordBatch, RecordBatchStreamReader } from 'apache-arrow';
import { CorruptStreamError, MaxComputeClientError } from '../client-errors.ts';
import { checkBatch } from './check-batch.ts';
import { loadArrow, loadCodec } from './library.ts';
import type { ArrowMessage } from './messages.ts';

/**
 * Record batches, one at a time, as the messages that hold them come.
 *
 * @throws {CorruptStreamError} a batch that does not decode
 */
export async function* batchesOf(messages: AsyncIterable<ArrowMessage>): AsyncGenerator<RecordBatch> {
  const arrow = await loadArrow();
  const { RecordBatchReader } = arrow;
  const box = new MessageBox();
  let reader: RecordBatchStreamReader | undefined;
  let codec: Awaited<ReturnType<typeof loadCodec>> | undefined;
  for await (const message of messages) {
    if (message.kind === 'other') continue;
    if (message.compression !== null) codec = await loadCodec(message.compression);
    box.put(message);
    // Dictionaries wait for the batch behind them: only then the reader has something to give.
    if (message.kind === 'dictionary') continue;
    const next = () => reader!.next().value as RecordBatch;
    const decoded = decode(() => {
      if (message.kind === 'batch') {
        const batch = codec ? codec.use(next).result : next();
        if (!batch) throw new CorruptStreamError('a batch of the Arrow stream has no content');
        checkBatch(arrow, batch);
        return batch;
      }
      reader = RecordBatchReader.from(box) as RecordBatchStreamReader;
      reader.open({ autoDestroy: false });
      return undefined;
    });
    if (decoded) yield decoded;
  }
}

function decode<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof MaxComputeClientError) throw cause;
    throw new CorruptStreamError('a batch of the Arrow stream does not decode', { cause });
  }
}

/** Gives the library whole messages; it takes one more helping than it needs, which is then empty. */
class MessageBox implements Iterable<Uint8Array> {
  readonly #waiting: Uint8Array[] = [];
  #emptyHelpings = 0;

  put(message: ArrowMessage): void {
    this.#waiting.push(inOnePiece(message));
    this.#emptyHelpings = 0;
  }

  *[Symbol.iterator](): Generator<Uint8Array> {
    for (;;) {
      const next = this.#waiting.shift();
      if (!next && this.#emptyHelpings++ > MAX_EMPTY_HELPINGS) {
        throw new CorruptStreamError('a message of the Arrow stream is shorter than its parts');
      }
      yield next ?? NOTHING;
    }
  }
}

const NOTHING = new Uint8Array(0);
const MAX_EMPTY_HELPINGS = 8;

/** Copied, so that its buffers lie on multiples of eight as typed arrays need them. */
function inOnePiece({ chunks, bytes }: ArrowMessage): Uint8Array {
  const whole = Buffer.allocUnsafeSlow(bytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}
