import { describe, expect, it } from 'vitest';
import { mergeMeterLines, newMeter, sumMeterLines } from '../../../shared/core/meter.ts';

describe('newMeter', () => {
  it('adds up by service, operation and resource', () => {
    const meter = newMeter();

    meter.count('dynamodb', 'get', { units: 1, bytes: 100, resource: 'nodes' });
    meter.count('dynamodb', 'get', { units: 2, bytes: 5000, resource: 'nodes' });
    meter.count('dynamodb', 'get', { units: 1, resource: 'runs' });
    meter.count('sqs', 'send', { requests: 3 });
    meter.count('sqs', 'send');

    expect(meter.snapshot()).toStrictEqual([
      { service: 'dynamodb', operation: 'get', resource: 'nodes', requests: 2, units: 3, bytes: 5100 },
      { service: 'dynamodb', operation: 'get', resource: 'runs', requests: 1, units: 1, bytes: 0 },
      { service: 'sqs', operation: 'send', requests: 4, units: 0, bytes: 0 },
    ]);
  });

  it('leaves a snapshot as it was when it counts on', () => {
    const meter = newMeter();
    meter.count('s3', 'put', { bytes: 10 });

    const before = meter.snapshot();
    meter.count('s3', 'put', { bytes: 10 });

    expect(before).toStrictEqual([{ service: 's3', operation: 'put', requests: 1, units: 0, bytes: 10 }]);
  });
});

describe('mergeMeterLines and sumMeterLines', () => {
  const one = { service: 'sqs', operation: 'send', resource: 'read-bytes', requests: 1, units: 2, bytes: 3 };
  const other = { ...one, resource: 'poll-job' };

  it('makes one snapshot of several', () => {
    expect(mergeMeterLines([one, other], [], [one])).toStrictEqual([
      { ...one, requests: 2, units: 4, bytes: 6 },
      other,
    ]);
  });

  it.each([
    [{}, 3],
    [{ service: 'sqs' }, 2],
    [{ service: 'sqs', resource: 'poll-job' }, 1],
    [{ operation: 'put' }, 1],
    [{ service: 'sns' }, 0],
  ])('sums the lines that agree with %j', (of, requests) => {
    const lines = [one, other, { ...one, service: 's3', operation: 'put' }];

    expect(sumMeterLines(lines, of)).toStrictEqual({ requests, units: 2 * requests, bytes: 3 * requests });
  });
});
