import { describe, expect, it } from 'vitest';
import { builtInConnectors } from '../../../../../shared/connectors/async/built-in/built-in.ts';

const unused = () => Promise.reject(new Error('not called'));

describe('builtInConnectors', () => {
  it('gives each type once, and landfall.refresh where there are runs to begin', () => {
    const types = (connectors: ReturnType<typeof builtInConnectors>) => connectors.map((one) => one.taskTypeName);
    const without = ['http.job', 'sensor.http', 'sensor.s3', 'aws.athena', 'aws.stepfunctions'];

    expect(types(builtInConnectors())).toEqual(without);
    const refresh = { start: unused, look: unused, cancel: unused };
    expect(types(builtInConnectors({ refresh }))).toEqual([...without, 'landfall.refresh']);
  });
});
