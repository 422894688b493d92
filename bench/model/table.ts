import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readDeployment } from '../../shared/costs/deployment.ts';
import { type Estimate, estimate, standingCosts } from '../../shared/costs/estimate.ts';
import { tariff } from '../../shared/costs/tariff.ts';
import type { SourceFacts } from '../../shared/costs/weights.ts';
import { syntheticPipeline } from '../synthetic.ts';
import { type Refresh, type Shape, workOf } from './shapes.ts';

const SERVERLESS = fileURLToPath(new URL('../../serverless.yml', import.meta.url));
const TB = 1e12;

const PARTITIONS = [1e6, 10e6, 100e6];
const BYTES = [1 * TB, 100 * TB];
const REFRESHES: readonly { readonly name: string; readonly refresh: Refresh }[] = [
  { name: 'first', refresh: { is: 'first' } },
  { name: 'unchanged', refresh: { is: 'unchanged' } },
  { name: '1 % changed, in every folder', refresh: { is: 'changed', share: 0.01, spread: 'evenly' } },
  { name: '1 % changed, in 1 % of the folders', refresh: { is: 'changed', share: 0.01, spread: 'by folder' } },
];

export interface TableOptions {
  /** Partitions of a folder, and folders of a folder. Default 1,000 each. */
  readonly leaves?: number;
  readonly folders?: number;
  /** Quotas and speeds that are others than in the table. */
  readonly settings?: Readonly<Record<string, number>>;
  /** For `${param:…}` in `serverless.yml`. */
  readonly params?: Readonly<Record<string, string>>;
}

export interface ModelRow {
  readonly partitions: number;
  readonly bytes: number;
  readonly refresh: string;
  readonly estimate: Estimate;
}

export interface Model {
  readonly rows: readonly ModelRow[];
  readonly standing: readonly {
    readonly partitions: number;
    readonly bytes: number;
    readonly s3: number;
    readonly dynamodb: number;
  }[];
}

/** A source whose names have 32 bytes, its fingerprints too, and its metadata 160 bytes of JSON. */
const facts: SourceFacts = {
  pipeline: syntheticPipeline({ prefixes: 0, leaves: 1 }),
  ...{ nameBytes: 32, fingerprintBytes: 32, metadataBytes: 160 },
};

export async function model({
  leaves = 1000,
  folders = 1000,
  settings = {},
  params = {},
}: TableOptions = {}): Promise<Model> {
  const deployment = readDeployment(readFileSync(SERVERLESS, 'utf8'), params);
  const prices = tariff(settings);
  const rows: ModelRow[] = [];
  const standing: Model['standing'][number][] = [];
  for (const bytes of BYTES) {
    for (const partitions of PARTITIONS) {
      const shape: Shape = { partitions, bytes, leaves, folders };
      for (const { name, refresh } of REFRESHES) {
        const work = workOf(shape, refresh);
        rows.push({
          partitions,
          bytes,
          refresh: name,
          estimate: await estimate({ facts, ...work, tariff: prices, deployment }),
        });
      }
      standing.push({ partitions, bytes, ...(await standingCosts(facts, shape, prices)) });
    }
  }
  return { rows, standing };
}

export function usdText(usd: number): string {
  if (usd === 0) return '0';
  return usd >= 100 ? Math.round(usd).toLocaleString('en-US') : usd >= 1 ? usd.toFixed(1) : usd.toPrecision(2);
}

export function hoursText(seconds: number): string {
  const hours = seconds / 3600;
  return hours >= 10
    ? Math.round(hours).toLocaleString('en-US')
    : hours >= 0.1
      ? hours.toFixed(1)
      : hours.toPrecision(1);
}

const shareText = (share: number): string =>
  share >= 10 ? `${Math.round(share)} ×` : share >= 1 ? `${share.toFixed(1)} ×` : `${(100 * share).toPrecision(2)} %`;

/** As Markdown, for docs/cost.md. */
export function markdown({ rows }: Pick<Model, 'rows'>): string {
  const lines = rows.map(({ partitions, bytes, refresh, estimate: { usd, seconds, boundBy, quotas } }) => {
    const first = quotas[0]!;
    const parts = [usd.dynamodb, usd.s3, usd.sqs, usd.lambda + usd.logs + usd.scheduler, usd.clearing]
      .map(usdText)
      .join(' + ');
    const cells = [
      ...[
        `${partitions / 1e6} M`,
        `${bytes / TB} TB`,
        refresh,
        `**${usdText(usd.total)}**`,
        parts,
        hoursText(seconds),
        boundBy,
      ],
      `${first.quota}: ${shareText(first.share)} (${first.what})`,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| partitions | bytes | refresh | USD | DynamoDB + S3 + SQS + Lambda, logs and schedule + clearing up | hours | bound by | quota met first |',
    '| ---: | ---: | --- | ---: | --- | ---: | --- | --- |',
    ...lines,
  ].join('\n');
}

export function standingMarkdown({ standing }: Pick<Model, 'standing'>): string {
  const lines = standing.map(
    ({ partitions, bytes, s3, dynamodb }) =>
      `| ${[`${partitions / 1e6} M`, `${bytes / TB} TB`, usdText(s3), usdText(dynamodb)].join(' | ')} |`,
  );
  return [
    '| partitions | bytes | S3, USD a month | DynamoDB, USD a month |',
    '| ---: | ---: | ---: | ---: |',
    ...lines,
  ].join('\n');
}
