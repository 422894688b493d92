import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { MIB } from '../../../shared/core/units.ts';
import { readDeployment } from '../../../shared/costs/deployment.ts';

const TEXT = readFileSync(fileURLToPath(new URL('../../../serverless.yml', import.meta.url)), 'utf8');

describe('readDeployment', () => {
  it('takes the settings of the functions from serverless.yml, its parameters filled in', () => {
    const { params, functions, provider } = parse(TEXT);

    const deployment = readDeployment(TEXT);

    expect(deployment.architecture).toBe(provider.architecture);
    expect(deployment.functions['read-bytes']).toEqual({
      memoryMb: params.default.readMemory,
      timeoutSeconds: functions['read-bytes'].timeout,
      ephemeralBytes: 512 * MIB,
      batchSize: functions['read-bytes'].events[0].sqs.batchSize,
      concurrency: params.default.readConcurrency,
    });
    expect(deployment.functions['list-objects'].ephemeralBytes).toBe(
      functions['list-objects'].ephemeralStorageSize * MIB,
    );
    expect(deployment.functions['start-refresh']).toMatchObject({ batchSize: 1, concurrency: 1 });
  });

  it('takes parameters as a deployment would', () => {
    const { functions } = readDeployment(TEXT, { readConcurrency: '200', readMemory: '1769' });

    expect(functions['read-bytes']).toMatchObject({ concurrency: 200, memoryMb: 1769 });
  });

  it.each([
    ['no YAML', '{', 'serverless.yml is not YAML'],
    ['another architecture', TEXT.replace('arm64', 'riscv'), 'architecture must be arm64 or x86_64, got "riscv"'],
    [
      'a parameter without a value',
      TEXT.replace('readMemory: 1024', 'others: 1'),
      'functions.read-bytes.memorySize must be a number above 0, got ',
    ],
    [
      'no functions',
      'provider: { architecture: arm64 }',
      'functions.start-refresh.memorySize must be a number above 0',
    ],
  ])('refuses %s', (_, text, message) => {
    expect(() => readDeployment(text)).toThrow(message);
  });
});
