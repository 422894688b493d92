import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Estimate } from '../../shared/costs/estimate.ts';
import { Workplace } from '../support/terminal.ts';

const FILES = Object.fromEntries(Array.from({ length: 120 }, (_, at) => [`part-${at}.csv`, 'x'.repeat(at)]));

const QUEUE = `{ memorySize: 512, timeout: 60, events: [{ sqs: { batchSize: 1, maximumConcurrency: '\${param:most}' } }] }`;
const SERVERLESS = `
params: { default: { most: 3 } }
functions:
  start-refresh: { memorySize: 512, timeout: 60 }
  list-objects: ${QUEUE}
  read-bytes: ${QUEUE}
  finish-refresh: ${QUEUE}
`;

describe('landfall plan --cost', () => {
  it('says what the run would cost, how long it would take, and which quota it meets first', async () => {
    const place = new Workplace();
    place.files('data', FILES);

    const { code, out } = await place.landfall('plan data --limit 0 --cost');

    expect(code).toBe(0);
    expect(out).toMatch(/^… and 120 more\ndata: 120 NEW, 0 UNCHANGED; at least 7\.0 KiB to read\n/);
    expect(out).toMatch(
      /\n {2}about \$0\.00\d+ and \d+\.\d s on AWS, on paper \(us-east-1, prices of 2025-07\): DynamoDB \$0\.0001\d*, S3 \$0\.0006\d*, SQS \$\S+, Lambda \$\S+, logs /,
    );
    expect(out).toMatch(/\n {2}bound by the longest invocation of read-bytes\n/);
    expect(out).toMatch(/\n {2}quota met first: [a-z]+\.[a-zA-Z]+, \d+ % \(.+: \d+ of [\d,]+\)\n$/);
  });

  it('prints it as JSON, with the requests it is made of and every quota', async () => {
    const place = new Workplace();
    place.files('data', FILES);
    await place.landfall('run data');
    await place.landfall('run data');
    place.write('data', 'part-7.csv', 'changed');
    place.write('data', 'sub/new.csv', 'new');

    const { json } = await place.landfall('plan data --cost --json');

    const lines = json();
    expect(lines.map(({ type }) => type)).toEqual(['change', 'change', 'summary', 'cost']);
    const cost = lines.at(-1) as unknown as Estimate & { quotaMetFirst: unknown };
    expect(cost).toMatchObject({
      ...{ type: 'cost', pipeline: 'data', region: 'us-east-1', asOf: '2025-07', unknown: [] },
      usd: { dynamodb: expect.any(Number), s3: expect.any(Number), sqs: expect.any(Number), total: expect.any(Number) },
      ...{ seconds: expect.any(Number), boundBy: expect.any(String) },
      functions: { 'read-bytes': { invocations: 2, gbSeconds: expect.any(Number) } },
    });
    const { requests, quotas, quotaMetFirst, usd } = cost;
    // The changed one, the new one, and the new folder: marks; then two commits.
    expect(requests).toContainEqual(
      expect.objectContaining({ service: 'dynamodb', operation: 'update', resource: 'partitions', requests: 5 }),
    );
    expect(quotaMetFirst).toEqual(quotas[0]);
    expect(usd.total).toBeLessThan(0.001);
  });

  it('goes by the settings of the functions, and by other quotas and speeds', async () => {
    const place = new Workplace();
    place.files('data', FILES);
    const file = place.path('own.yml');
    writeFileSync(file, SERVERLESS);

    const own = await place.landfall(`plan data --cost --json --deployment ${file}`);
    const more = await place.landfall(`plan data --cost --json --deployment ${file} --param most=5`);
    const slow = await place.landfall(`plan data --cost --json --set lambda.concurrency=2 --set source.openSeconds=60`);

    const concurrency = (lines: Record<string, unknown>[]) =>
      (lines.at(-1)!.quotas as { quota: string }[]).find(({ quota }) => quota === 'lambda.concurrency');
    expect(concurrency(own.json())).toMatchObject({ use: 10, limit: 1000 });
    expect(concurrency(more.json())).toMatchObject({ use: 16, limit: 1000 });
    expect(concurrency(slow.json())).toMatchObject({ limit: 2 });
    expect(slow.json().at(-1)!.seconds).toBeGreaterThan(60 * 10);
  });

  it.each([
    ['plan data --set lambda.concurrency=1', '--deployment, --param and --set go with --cost'],
    ['plan data --cost --set lambda.memory=1', 'there is no quota or speed "lambda.memory"'],
    ['plan data --cost --set lambda.concurrency', 'It must be name=value'],
    ['plan data --cost --deployment missing.yml', 'missing.yml'],
  ])('refuses %s', async (command, message) => {
    const place = new Workplace();
    place.files('data', { a: 'a' });

    const { code, err } = await place.landfall(command);

    expect(code).toBe(2);
    expect(err).toContain(message);
  });

  it('says what cannot be known before', async () => {
    const place = new Workplace();
    place.pipeline(
      'data',
      `code({ context: () => 1, listObjects: () => [{ name: 'a', fingerprint: '1', isPrefix: false }], readBytes: () => 'a', version: '1' })`,
    );

    const { out } = await place.landfall('plan data --cost');

    expect(out).toContain('not in it: the listing does not say how large all partitions are');
  });
});
