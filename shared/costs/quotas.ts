import { SHARDS_AT_ONCE } from '../refresh/plan-folder.ts';
import type { Deployment } from './deployment.ts';
import { type Durations, listedIn, marksOf } from './durations.ts';
import type { RequestLine } from './tally.ts';
import type { QuotaName, Tariff } from './tariff.ts';
import { doneShardBytes, groupMemberBytes, listedShardBytes, NODE_MEMBER_BYTES, type Weights } from './weights.ts';
import type { FolderWork, ShardWork } from './work.ts';

/** How much of a quota a refresh takes. */
export interface QuotaUse {
  readonly quota: QuotaName;
  /** In the quota's own unit: a rate, or the largest single thing. */
  readonly use: number;
  readonly limit: number;
  /** `use` by `limit`; above 1 it is exceeded. */
  readonly share: number;
  /** What takes so much. */
  readonly what: string;
}

/** Of one kind of folders: how many writes go to the items of each, which have one key. */
export interface FolderRequests {
  readonly work: FolderWork;
  readonly nodeWriteUnits: number;
  readonly nodeReadUnits: number;
}

export interface QuotaFacts {
  readonly tariff: Tariff;
  readonly deployment: Deployment;
  readonly durations: Durations;
  readonly lines: readonly RequestLine[];
  readonly folders: readonly FolderRequests[];
  readonly weights: Weights;
  /** Of the largest due partition. */
  readonly largestBytes: number;
  /** Of the refresh, if no quota of a rate held it up. */
  readonly seconds: number;
}

/** What a quota of a rate needs at least, in seconds, and what needs it. */
interface Rate {
  readonly quota: QuotaName;
  readonly amount: number;
  readonly what: string;
}

/**
 * How much of each quota the refresh takes at the concurrency it is deployed with, the fullest first. A rate is that over the
 * whole refresh, as if it came evenly.
 */
export function quotaUses(facts: QuotaFacts): QuotaUse[] {
  const uses = [...rates(facts).map((rate) => useOfRate(rate, facts)), ...sizes(facts)];
  return uses.filter(({ use }) => use > 0).sort((a, b) => b.share - a.share);
}

/** How long the refresh takes at least, where rates are held to their quotas. */
export function secondsByRates(facts: QuotaFacts): number {
  return Math.max(0, ...rates(facts).map(({ quota, amount }) => amount / facts.tariff.quotas[quota]));
}

function useOfRate({ quota, amount, what }: Rate, { tariff, seconds }: QuotaFacts): QuotaUse {
  const limit = tariff.quotas[quota];
  const use = amount / seconds;
  return { quota, use, limit, share: use / limit, what };
}

function rates({ lines, folders, deployment }: QuotaFacts): Rate[] {
  const tables = [...new Set(lines.filter(({ service }) => service === 'dynamodb').map(({ resource }) => resource!))];
  const ofTables = tables.flatMap((table): Rate[] => [
    { quota: 'dynamodb.tableWriteUnits', amount: writes(lines, table), what: `the table ${table}` },
    { quota: 'dynamodb.tableReadUnits', amount: reads(lines, table), what: `the table ${table}` },
  ]);
  const widest = folders.reduce((most, one) => (one.nodeWriteUnits > most.nodeWriteUnits ? one : most), folders[0]!);
  const shards = folders.flatMap(({ work }) =>
    work.shards.map((shard) => ({ shard, count: work.folders * shard.shards })),
  );
  const due = shards.filter(({ shard }) => marksOf(shard) > 0);
  // So many shards are planned and read side by side, and every one has a key of its own.
  const { concurrency, batchSize } = deployment.functions['list-objects'];
  const listed = Math.min(
    concurrency * batchSize,
    sum(folders, ({ work }) => work.folders),
  );
  const side = Math.max(
    1,
    Math.min(
      listed * SHARDS_AT_ONCE,
      sum(due, ({ count }) => count),
    ),
  );
  return [
    ...ofTables,
    { quota: 'dynamodb.keyWriteUnits', amount: widest.nodeWriteUnits, what: 'the items of the widest folder' },
    { quota: 'dynamodb.keyReadUnits', amount: widest.nodeReadUnits, what: 'the items of the widest folder' },
    {
      quota: 'dynamodb.keyWriteUnits',
      amount: writes(lines, 'partitions') / side,
      what: 'the partitions of one shard',
    },
    { quota: 's3.prefixWrites', amount: objects(lines, ['put', 'list']), what: 'the bucket, as if it were one prefix' },
    { quota: 's3.prefixReads', amount: objects(lines, ['get', 'head']), what: 'the bucket, as if it were one prefix' },
  ];
}

/** Limits of one thing, which no patience helps with. */
function sizes({ tariff, deployment, durations, folders, weights, largestBytes }: QuotaFacts): QuotaUse[] {
  const { functions } = deployment;
  const of = (quota: QuotaName, use: number, what: string, limit = tariff.quotas[quota]): QuotaUse => ({
    ...{ quota, use, limit, share: use / limit, what },
  });
  const atWork = sum(Object.values(functions), ({ concurrency }) => concurrency);
  const speeds = tariff.speeds;
  const reading =
    largestBytes === 0 ? 0 : speeds['source.openSeconds'] + largestBytes / speeds['lambda.bytesPerSecond'];
  const seconds = (name: 'list-objects' | 'read-bytes' | 'finish-refresh') =>
    Math.min(functions[name].timeoutSeconds, tariff.quotas['lambda.seconds']);
  const inFlight = Math.max(...Object.values(functions).map(({ concurrency, batchSize }) => concurrency * batchSize));
  const spool =
    Math.max(0, ...folders.map(({ work }) => sum(work.shards, (one) => one.shards * listedIn(one)))) *
    weights.listedLine;
  const disk = Math.min(functions['list-objects'].ephemeralBytes, tariff.quotas['lambda.ephemeralStorage']);
  return [
    of('lambda.concurrency', atWork, 'all functions together'),
    of(
      'lambda.seconds',
      durations['list-objects'].longestSeconds,
      'the longest listing, which must be one that can go on',
      seconds('list-objects'),
    ),
    of('lambda.seconds', reading, 'the largest partition, which must be one that can go on', seconds('read-bytes')),
    of(
      'lambda.seconds',
      durations['finish-refresh'].longestSeconds,
      'publishing, with the flat manifests',
      seconds('finish-refresh'),
    ),
    of('lambda.ephemeralStorage', spool, 'the largest listing', disk),
    of(
      'dynamodb.itemBytes',
      Math.max(0, ...folders.map(({ work }) => largestItem(work, weights))),
      'the item of a folder or of a shard',
    ),
    of('sqs.inFlight', inFlight, 'the fullest queue'),
  ];
}

/** The sets in them grow with what they wait for. */
function largestItem({ shards }: FolderWork, weights: Weights): number {
  const layout = sum(shards, (one) => one.shards);
  const node = weights.doneNode + layout * (listedShardBytes(layout) + doneShardBytes(layout));
  const members = ({ groups, nodes }: ShardWork) => groups * groupMemberBytes(groups) + nodes * NODE_MEMBER_BYTES;
  return Math.max(node, ...shards.map((shard) => weights.doneShard + 2 * members(shard)));
}

const WRITES = ['update', 'put', 'delete', 'batchWrite'];

const writes = (lines: readonly RequestLine[], table: string): number =>
  sum(
    lines.filter((line) => line.resource === table && WRITES.includes(line.operation)),
    ({ units, unseenUnits }) => units + unseenUnits,
  );

const reads = (lines: readonly RequestLine[], table: string): number =>
  sum(
    lines.filter((line) => line.service === 'dynamodb' && line.resource === table && !WRITES.includes(line.operation)),
    ({ units }) => units,
  );

const objects = (lines: readonly RequestLine[], operations: readonly string[]): number =>
  sum(
    lines.filter(({ service, operation }) => service === 's3' && operations.includes(operation)),
    ({ requests }) => requests,
  );

const sum = <T>(all: readonly T[], of: (one: T) => number): number => all.reduce((total, one) => total + of(one), 0);
