import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Command, Option } from 'commander';
import type { UploadRecord } from '../../../shared/clients/dis/index.ts';
import { type Act, examples } from '../../act.ts';
import { EXIT } from '../../errors.ts';
import { wholeNumber } from '../../options.ts';
import { countText, oneLine, secondsText } from '../../text.ts';
import { withDis } from './access.ts';
import type { DisOptions } from './options.ts';
import { tell } from './show.ts';

interface UploadOptions extends DisOptions {
  readonly as?: 'csv' | 'lines';
  readonly partition?: string;
  readonly key?: string;
  readonly base64?: boolean;
  readonly ordered?: boolean;
  readonly type?: 'COMMON' | 'ADVANCED';
  readonly skip?: number;
}

export const uploadCommand = (act: Act): Command =>
  new Command('upload')
    .description('upload a file: a record a line, or a CSV file with a column data')
    .argument('<stream>')
    .argument('<file>', 'or - for standard input')
    .addOption(
      new Option(
        '--as <form>',
        'csv: the column data, and any of partition_key, partition_id, explicit_hash_key, timestamp; lines (default)',
      ).choices(['csv', 'lines']),
    )
    .option('--skip <lines>', 'at the start of the file, such as a header', wholeNumber(0))
    .option('--partition <id>', 'of every line; default: spread over all')
    .option('--key <key>', 'partition key of every line')
    .option('--base64', 'the data is base64 already')
    .option('--ordered', 'keep the order of records of one partition or key')
    .addOption(
      new Option('--type <type>', 'of the stream; requests to ADVANCED are larger').choices(['COMMON', 'ADVANCED']),
    )
    .addHelpText(
      'after',
      examples(
        'dis upload events events.jsonl',
        'dis upload events records.csv --as csv',
        'dis upload events - --partition 0 --ordered',
      ),
    )
    .action(
      act<[string, string], UploadOptions>((session, [stream, file], options) =>
        withDis(
          session,
          options,
          async ({ dis, signal }) => {
            const { ordered, type, base64 } = options;
            const began = performance.now();
            let [stored, failed] = [0, 0];
            const records = options.as === 'csv' ? await csv(file) : lines(file, options);
            const how = { ordered, streamType: type, signal, ...(base64 ? { encoding: 'base64' as const } : {}) };
            for await (const batch of dis.uploadBatches(stream, records, how)) {
              stored += batch.results.length - batch.failedRecordCount;
              failed += batch.failedRecordCount;
              for (const [at, { errorCode, errorMessage }] of batch.results.entries()) {
                if (errorCode === undefined) continue;
                const facts = { record: batch.indices[at], errorCode, errorMessage };
                if (session.json) await session.printJson(facts);
                else await session.note(oneLine(`record ${facts.record}: ${errorCode} ${errorMessage}`));
              }
            }
            const seconds = secondsText(performance.now() - began);
            const failure = failed === 0 ? '' : `; ${countText(failed)} failed`;
            await tell(session, `${countText(stored)} records stored in ${seconds} s${failure}`, {
              stream,
              stored,
              failed,
            });
            return failed === 0 ? EXIT.done : EXIT.failed;
          },
          'Stopping: what was sent is stored.',
        ),
      ),
    );

async function csv(file: string): Promise<AsyncIterable<UploadRecord>> {
  const { csvRecords } = await import('../../../shared/clients/dis/index.ts');
  return csvRecords(file === '-' ? '/dev/stdin' : file);
}

/** Empty lines are none: a record must have data. */
async function* lines(file: string, { partition, key, skip = 0 }: UploadOptions): AsyncGenerator<UploadRecord> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  let line = 0;
  for await (const data of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line++ < skip || data === '') continue;
    yield { data, partitionId: partition, partitionKey: key };
  }
}
