import { DisClient, type UploadRecord } from '../../shared/clients/dis/index.ts';
import { forEachLimit } from '../../shared/core/concurrency.ts';

/** Uploads and downloads in this process; the last line it prints are its figures. What it needs is in the environment. */
const { DIS_BENCH_RECORDS, DIS_BENCH_PARTITIONS, DIS_BENCH_BYTES } = process.env;
const [records, partitions, bytes] = [Number(DIS_BENCH_RECORDS), Number(DIS_BENCH_PARTITIONS), Number(DIS_BENCH_BYTES)];
const STREAM = 'ours';
/** More would only keep more answers in memory: one is asked for while the one before is used. */
const READ_AT_ONCE = 2;

await using client = new DisClient({ env: process.env });
await client.createStream({ name: STREAM, partitionCount: partitions });
const upload = await perSecond(async () => {
  let stored = 0;
  for await (const batch of client.uploadBatches(STREAM, generated()))
    stored += batch.results.length - batch.failedRecordCount;
  return stored;
});
const download = await perSecond(async () => {
  const { partitions: all = [] } = await client.getStream(STREAM);
  let count = 0;
  await forEachLimit(all, READ_AT_ONCE, async ({ partitionId, nextSequenceNumber }) => {
    const found = await read(partitionId, nextSequenceNumber!);
    count += found;
  });
  return count;
});
const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
const peakRssMib = Math.round(maxRSS / 1024);
// Of the client alone: what other processes of the machine do counts less.
const cpuSeconds = (userCPUTime + systemCPUTime) / 1e6;
console.log(JSON.stringify({ uploadPerSecond: upload, downloadPerSecond: download, cpuSeconds, peakRssMib }));

function* generated(): Generator<UploadRecord> {
  for (let at = 0; at < records; at++) yield { data: `record ${at} `.padEnd(bytes, '.'), partitionKey: `key ${at}` };
}

async function read(partition: string, until: bigint): Promise<number> {
  let count = 0;
  for await (const page of client.readPages(STREAM, partition, { until })) count += page.length;
  return count;
}

async function perSecond(work: () => Promise<number>): Promise<number> {
  const began = performance.now();
  const count = await work();
  if (count !== records) throw new Error(`${count} records instead of ${records}`);
  return Math.round(count / ((performance.now() - began) / 1000));
}
