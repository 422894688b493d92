import { Command, InvalidArgumentError, Option } from 'commander';
import type { CursorStart, DisClient, DisRecord, Partition } from '../../../shared/clients/dis/index.ts';
import { frameOf } from '../../../shared/connectors/dis/framing.ts';
import { type Act, examples } from '../../act.ts';
import { CommandError, EXIT } from '../../errors.ts';
import { wholeNumber } from '../../options.ts';
import type { Session } from '../../session.ts';
import { countText } from '../../text.ts';
import { withDis } from './access.ts';
import type { DisOptions } from './options.ts';

interface DownloadOptions extends DisOptions {
  readonly partition?: string;
  readonly from?: CursorStart;
  readonly follow?: boolean;
  readonly limit?: number;
  readonly as: 'lines' | 'ndjson' | 'raw' | 'length-prefixed';
}

export const downloadCommand = (act: Act): Command =>
  new Command('download')
    .description('print the records of a stream, one partition after the other, up to what is there now')
    .argument('<stream>')
    .option('--partition <id>', 'only this one; default all that can be read')
    .option('--from <place>', 'earliest (default), latest, a sequence number, or a time', startOf)
    .option('--limit <records>', 'of each partition', wholeNumber(1))
    .option('--follow', 'wait for more, of one partition, until Ctrl-C')
    .addOption(
      new Option('--as <form>', 'lines: data as it is; ndjson: with number, key and time (what --json prints)')
        .choices(['lines', 'ndjson', 'raw', 'length-prefixed'])
        .default('lines'),
    )
    .addHelpText(
      'after',
      examples(
        'dis download events > events.txt',
        'dis download events --partition 0 --from 2026-01-05T00:00:00Z --json',
        'dis download events --partition 0 --from latest --follow',
      ),
    )
    .action(
      act<[string], DownloadOptions>((session, [stream], options) =>
        withDis(session, options, async ({ dis, signal }) => {
          const partitions = await wantedPartitions(dis, stream, options, signal);
          const frame = frameFor(session, options);
          let total = 0;
          for (const partition of partitions) {
            let count = 0;
            const limit = options.limit ?? Number.POSITIVE_INFINITY;
            try {
              for await (const page of pages(dis, stream, partition, options, signal)) {
                const taken = page.slice(0, limit - count);
                count += taken.length;
                await session.print(frame(taken));
                if (count >= limit) break;
              }
            } catch (error) {
              // Whoever follows ends it so.
              if (!(options.follow && signal.aborted)) throw error;
            }
            total += count;
          }
          await session.note(`${countText(total)} records`);
          return EXIT.done;
        }),
      ),
    );

function frameFor({ json }: Session, { as }: DownloadOptions): (records: readonly DisRecord[]) => Uint8Array | string {
  if (json || as === 'ndjson') return frameOf({ as: 'ndjson', data: 'text' });
  return as === 'length-prefixed' ? frameOf({ as }) : frameOf({ as: 'raw', delimiter: as === 'raw' ? '' : '\n' });
}

async function wantedPartitions(
  dis: DisClient,
  stream: string,
  { partition, follow }: DownloadOptions,
  signal: AbortSignal,
): Promise<readonly Partition[]> {
  const { partitions = [] } = await dis.getStream(stream, { signal });
  const readable = partitions.filter(({ nextSequenceNumber }) => nextSequenceNumber !== undefined);
  const { longPartitionId } = await import('../../../shared/clients/dis/index.ts');
  const id = partition !== undefined && /^\d{1,10}$/.test(partition) ? longPartitionId(Number(partition)) : partition;
  const wanted = id === undefined ? readable : readable.filter(({ partitionId }) => partitionId === id);
  if (wanted.length === 0)
    throw new CommandError('NoPartition', `${stream} has no partition ${partition} that can be read`);
  if (follow && wanted.length > 1) throw new CommandError('WhichPartition', '--follow reads one: say --partition');
  return wanted;
}

async function* pages(
  dis: DisClient,
  stream: string,
  { partitionId, oldestSequenceNumber: oldest = 0n, nextSequenceNumber: end = 0n }: Partition,
  { from = OLDEST, follow }: DownloadOptions,
  signal: AbortSignal,
): AsyncGenerator<readonly DisRecord[]> {
  if (follow) return yield* dis.readPages(stream, partitionId, { from, signal });
  const number = from.startingSequenceNumber === undefined ? oldest : BigInt(from.startingSequenceNumber);
  if (oldest >= end || number >= end || from.cursorType === 'LATEST') return;
  const start = number < oldest ? OLDEST : from;
  for await (const page of dis.readPages(stream, partitionId, {
    from: start,
    stopAtEnd: true,
    onLost: 'earliest',
    signal,
  })) {
    const wanted = page.filter(({ sequenceNumber }) => sequenceNumber < end);
    yield wanted;
    // What is written meanwhile is not waited for, else a busy stream never ends.
    if (wanted.length < page.length || wanted.at(-1)!.sequenceNumber === end - 1n) return;
  }
}

const OLDEST: CursorStart = { cursorType: 'TRIM_HORIZON' };

/** Where reading begins, as people say it. */
export function startOf(text: string): CursorStart {
  if (text === 'earliest') return { cursorType: 'TRIM_HORIZON' };
  if (text === 'latest') return { cursorType: 'LATEST' };
  if (/^\d{1,19}$/.test(text)) return { startingSequenceNumber: text };
  const timestamp = Date.parse(text);
  if (timestamp >= 0) return { cursorType: 'AT_TIMESTAMP', timestamp };
  throw new InvalidArgumentError(
    'It must be earliest, latest, a sequence number or a time such as 2026-01-05T00:00:00Z.',
  );
}
