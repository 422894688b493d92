import { clearingRequests } from './clearing.ts';
import type { Deployment, FunctionName } from './deployment.ts';
import { Clocked, type Durations, gbSeconds } from './durations.ts';
import { type FolderRequests, type QuotaFacts, type QuotaUse, quotaUses, secondsByRates } from './quotas.ts';
import { RefreshRequests } from './requests.ts';
import type { RequestLine, Tally } from './tally.ts';
import type { Tariff } from './tariff.ts';
import { type SourceFacts, type Weights, weigh } from './weights.ts';
import type { FolderWork, RunWork } from './work.ts';

/** What a refresh is taken to cost, how long it takes, and which quota it comes to first. */
export interface Estimate {
  /** The region of the prices, and the month of the oldest of them. */
  readonly region: string;
  readonly asOf: string;
  /** USD of the refresh itself, and of clearing up after it; storage comes on top, by the month. */
  readonly usd: Readonly<
    Record<'dynamodb' | 's3' | 'sqs' | 'lambda' | 'logs' | 'scheduler' | 'clearing' | 'total', number>
  >;
  readonly seconds: number;
  /** What it takes so long for: functions at work at a time, or a quota. */
  readonly boundBy: string;
  /** The fullest first. */
  readonly quotas: readonly QuotaUse[];
  readonly requests: readonly RequestLine[];
  readonly functions: Readonly<Record<FunctionName, { readonly invocations: number; readonly gbSeconds: number }>>;
}

export interface EstimateOptions {
  readonly facts: SourceFacts;
  readonly folders: readonly FolderWork[];
  readonly run: RunWork;
  /** Of the due partitions. */
  readonly largestBytes: number;
  readonly tariff: Tariff;
  readonly deployment: Deployment;
}

/** Estimates one refresh, from what it will do. */
export async function estimate(options: EstimateOptions): Promise<Estimate> {
  const { facts, folders, run, tariff, deployment } = options;
  const depth = Math.max(1, ...folders.map((folder) => folder.depth));
  const weights = await weigh(facts, folders);
  const counted = new RefreshRequests(facts, weights);
  counted.run(run);
  const perFolder = folders.map((work): FolderRequests => {
    const own = new RefreshRequests(facts, weights);
    own.folder({ ...work, folders: 1 });
    const lines = own.tally.lines();
    counted.tally.add(lines, work.folders);
    const nodes = lines.filter(({ service, resource }) => service === 'dynamodb' && resource === 'nodes');
    const units = (write: boolean) =>
      nodes
        .filter(({ operation }) => (operation === 'update') === write)
        .reduce((sum, line) => sum + line.units + line.unseenUnits, 0);
    return { work, nodeWriteUnits: units(true), nodeReadUnits: units(false) };
  });
  const durations = new Clocked(tariff, deployment, weights).durations(folders, run);
  deliveries(counted.tally, deployment, weights, folders);
  const requests = counted.tally.lines();
  const clearing = clearingRequests(folders, run, weights).lines();

  const { seconds: unhindered, boundBy } = pace(durations, deployment, tariff, depth);
  const quotaFacts: QuotaFacts = {
    ...{ tariff, deployment, durations, lines: requests, folders: perFolder, weights },
    ...{ largestBytes: options.largestBytes, seconds: unhindered },
  };
  const quotas = quotaUses(quotaFacts);
  const held = secondsByRates(quotaFacts);
  const slowest = quotas.find(({ share }) => share > 1)?.quota;
  return {
    ...{ region: tariff.region, asOf: tariff.asOf, requests, quotas },
    usd: dollars({ requests, clearing, durations }, deployment, tariff),
    seconds: Math.max(unhindered, held),
    boundBy: held > unhindered && slowest ? slowest : boundBy,
    functions: Object.fromEntries(
      Object.entries(durations).map(([name, work]) => {
        const settings = deployment.functions[name as FunctionName];
        return [name, { invocations: work.invocations, gbSeconds: gbSeconds(work, settings) }];
      }),
    ) as Estimate['functions'],
  };
}

/** What the service that feeds the functions asks the queues for. */
function deliveries(tally: Tally, { functions }: Deployment, weights: Weights, folders: readonly FolderWork[]): void {
  for (const { folders: count, shards } of folders) {
    tally.deliver('list-objects', count, functions['list-objects'].batchSize, weights.listMessage);
    for (const { shards: alike, groups, fresh, changed } of shards.filter((shard) => shard.groups > 0)) {
      const bodyBytes = weights.readMessage + ((fresh + changed) / groups) * weights.namedInMessage;
      tally.deliver('read-bytes', count * alike * groups, functions['read-bytes'].batchSize, bodyBytes);
    }
  }
  tally.deliver('finish-refresh', 1, functions['finish-refresh'].batchSize, weights.listMessage);
}

/**
 * Listing, reading and completing go on side by side, so the slower of listing and reading counts; before and after it every
 * level of the tree takes a message and its function.
 */
function pace(durations: Durations, { functions }: Deployment, { speeds, quotas }: Tariff, depth: number) {
  const wanted = Object.values(functions).reduce((sum, { concurrency }) => sum + concurrency, 0);
  const granted = Math.min(1, quotas['lambda.concurrency'] / wanted);
  const busy = (name: 'list-objects' | 'read-bytes') => {
    const { seconds, longestSeconds } = durations[name];
    const { concurrency } = functions[name];
    const shared = seconds / Math.max(1, concurrency * granted);
    const at = granted < 1 ? 'lambda.concurrency' : `${name} at concurrency ${concurrency}`;
    return shared > longestSeconds
      ? { seconds: shared, boundBy: at }
      : { seconds: longestSeconds, boundBy: `the longest invocation of ${name}` };
  };
  const listing = busy('list-objects');
  const reading = busy('read-bytes');
  const slower = reading.seconds > listing.seconds ? reading : listing;
  // Nothing is read before something is listed.
  const ahead = slower === reading ? Math.min(listing.seconds, durations['list-objects'].longestSeconds) : 0;
  const steps = durations['start-refresh'].seconds + durations['finish-refresh'].seconds;
  const levels = (depth + HOPS) * (speeds['hop.seconds'] + ROUND_TRIPS_OF_LEVEL * speeds['dynamodb.seconds']);
  return { seconds: ahead + slower.seconds + steps + levels, boundBy: slower.boundBy };
}

/** Messages from the start to the end, beside one for each level of the tree. */
const HOPS = 3;
const ROUND_TRIPS_OF_LEVEL = 8;

interface Billed {
  readonly requests: readonly RequestLine[];
  readonly clearing: readonly RequestLine[];
  readonly durations: Durations;
}

function dollars(
  { requests, clearing, durations }: Billed,
  { architecture, functions }: Deployment,
  { prices, speeds }: Tariff,
): Estimate['usd'] {
  const own = requestDollars(requests, prices);
  const later = requestDollars(clearing, prices);
  const usd = {
    ...{ ...own, lambda: 0, logs: 0, scheduler: prices['scheduler.invocation'] },
    clearing: later.dynamodb + later.s3 + later.sqs,
  };
  for (const [name, work] of Object.entries(durations)) {
    const settings = functions[name as FunctionName];
    usd.lambda += work.invocations * prices['lambda.request'];
    usd.lambda += gbSeconds(work, settings) * prices[`lambda.${architecture}`];
    const paidDiskGb = Math.max(0, settings.ephemeralBytes / GIB - FREE_DISK_GB);
    usd.lambda += work.seconds * paidDiskGb * prices['lambda.ephemeralStorage'];
    usd.logs += ((work.invocations * speeds['lambda.logBytes']) / GIB) * prices['logs.ingested'];
  }
  return { ...usd, total: Object.values(usd).reduce((sum, one) => sum + one, 0) };
}

function requestDollars(
  lines: readonly RequestLine[],
  prices: Tariff['prices'],
): Record<RequestLine['service'], number> {
  const usd = { dynamodb: 0, s3: 0, sqs: 0 };
  for (const { service, operation, requests, units, unseenUnits } of lines) {
    if (service === 'dynamodb') {
      const isRead = ['get', 'batchGet', 'query'].includes(operation);
      usd.dynamodb += (units + unseenUnits) * prices[isRead ? 'dynamodb.readUnit' : 'dynamodb.writeUnit'];
    } else if (service === 's3') {
      if (operation !== 'delete')
        usd.s3 += requests * prices[['put', 'list'].includes(operation) ? 's3.write' : 's3.read'];
    } else {
      // Every message has its pipeline as its group.
      usd.sqs += units * (prices['sqs.request'] + prices['sqs.fairQueue']);
    }
  }
  return usd;
}

const GIB = 1024 ** 3;
const FREE_DISK_GB = 0.5;
const FIRST_STORAGE_TIER_GB = 50 * 1024;

/** USD a month for what stands: objects, the items that name them, and the tables' point-in-time recovery. */
export interface StandingCosts {
  readonly s3: number;
  readonly dynamodb: number;
  readonly tableBytes: number;
}

export async function standingCosts(
  facts: SourceFacts,
  { partitions, bytes }: { readonly partitions: number; readonly bytes: number },
  { prices }: Tariff,
): Promise<StandingCosts> {
  const { landedItem } = await weigh(facts);
  // The service counts a hundred bytes an item on top.
  const tableBytes = partitions * (landedItem + 100);
  const gb = bytes / GIB;
  const first = Math.min(gb, FIRST_STORAGE_TIER_GB);
  return {
    s3: first * prices['s3.storage'] + (gb - first) * prices['s3.storageNext'],
    dynamodb: (tableBytes / GIB) * (prices['dynamodb.storage'] + prices['dynamodb.pointInTimeRecovery']),
    tableBytes,
  };
}
