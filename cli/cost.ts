import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { InvalidInputError } from '../shared/core/errors.ts';
import { readDeployment } from '../shared/costs/deployment.ts';
import { type Estimate, estimate } from '../shared/costs/estimate.ts';
import { tariff } from '../shared/costs/tariff.ts';
import { type Unknown, WorkSum } from '../shared/costs/work-sum.ts';
import type { Pipeline } from '../shared/pipelines/define.ts';
import type { Sizes } from '../shared/refresh/sizes.ts';
import type { Session } from './session.ts';
import { countText, durationText, secondsText } from './text.ts';

export interface CostOptions {
  /** The `serverless.yml` whose functions would do it. */
  readonly deployment?: string;
  readonly param?: Readonly<Record<string, string>>;
  readonly set?: Readonly<Record<string, string>>;
}

/** Says what the refreshes that were planned would cost. */
export interface CostPrinter {
  workSum(sizes: Sizes): WorkSum;
  print(pipeline: Pipeline, work: WorkSum): Promise<void>;
}

/** @throws {InvalidInputError} {@link DeploymentError} a setting is wrong, or there is no `serverless.yml` */
export async function costPrinter(
  { deployment: file, param, set = {} }: CostOptions,
  session: Session,
): Promise<CostPrinter> {
  const deployment = readDeployment(readFileSync(deploymentFile(file), 'utf8'), param);
  const prices = tariff(Object.fromEntries(Object.entries(set).map(([name, value]) => [name, Number(value)])));
  return {
    workSum: (sizes) => new WorkSum(sizes),
    async print(pipeline, work) {
      const options = {
        ...{ folders: work.folders(), run: work.run(), largestBytes: work.largestBytes, tariff: prices, deployment },
        facts: { pipeline, ...work.averages() },
      };
      await printEstimate(pipeline.name, await estimate(options), work.unknowns(), session);
    },
  };
}

/** Of the folder the command works in, or what comes with the command: beside its sources, or in its package. */
function deploymentFile(named: string | undefined): string {
  const own = ['../serverless.yml', '../../../serverless.yml'];
  const files = named === undefined ? ['serverless.yml', ...own.map(beside)] : [named];
  const found = files.find((path) => existsSync(path));
  if (!found) throw new InvalidInputError(`there is no ${files[0]}; name one with --deployment`);
  return found;
}

const beside = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const UNKNOWN: Readonly<Record<Unknown, string>> = {
  sizes: 'the listing does not say how large all partitions are',
  jobs: 'what external jobs make is not known before, nor what they cost',
  feeds: 'a feed is counted as a folder is',
  growth: 'a folder has outgrown its shards, whose items are copied once',
};

async function printEstimate(
  pipeline: string,
  { region, asOf, usd, seconds, boundBy, quotas, requests, functions }: Estimate,
  unknown: readonly Unknown[],
  session: Session,
): Promise<void> {
  const [first] = quotas;
  if (session.json)
    return session.printJson({
      ...{ type: 'cost', pipeline, region, asOf, usd, seconds, boundBy, quotaMetFirst: first, quotas },
      ...{ requests, functions, unknown },
    });
  const { total, ...parts } = usd;
  const services = Object.entries(parts).map(
    ([name, value]) => `${SERVICES[name as keyof typeof parts]} ${usdText(value)}`,
  );
  const lines = [
    `about ${usdText(total)} and ${timeText(seconds)} on AWS, on paper (${region}, prices of ${asOf}): ${services.join(', ')}`,
    `bound by ${boundBy}`,
    ...(first ? [quotaText(first)] : []),
    ...unknown.map((one) => `not in it: ${UNKNOWN[one]}`),
  ];
  await session.print(lines.map((line) => `  ${line}\n`).join(''));
}

const SERVICES = {
  dynamodb: 'DynamoDB',
  s3: 'S3',
  sqs: 'SQS',
  lambda: 'Lambda',
  logs: 'logs',
  scheduler: 'schedule',
  clearing: 'clearing up',
} as const;

function quotaText({ quota, use, limit, share, what }: Estimate['quotas'][number]): string {
  const percent = share >= 0.1 ? Math.round(100 * share) : Number((100 * share).toPrecision(1));
  return `quota met first: ${quota}, ${countText(percent)} % (${what}: ${countText(rounded(use))} of ${countText(limit)})`;
}

const rounded = (value: number): number => (value >= 10 ? Math.round(value) : Number(value.toPrecision(2)));

/** Two digits below a cent, so that little does not look like nothing. */
const usdText = (usd: number): string => {
  if (usd === 0) return '$0';
  if (usd >= 0.01) return `$${usd.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  return usd < 1e-6 ? 'less than $0.000001' : `$${Number(usd.toPrecision(2)).toFixed(6).replace(/0+$/, '')}`;
};

const timeText = (seconds: number): string =>
  seconds < 60 ? `${secondsText(1000 * seconds)} s` : durationText(1000 * seconds);
