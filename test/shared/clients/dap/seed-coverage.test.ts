import { describe, expect, expectTypeOf, it } from 'vitest';
import * as dap from '../../../../shared/clients/dap/index.ts';
import { World } from './harness.ts';

const exported: Readonly<Record<string, unknown>> = { ...dap };

/** The checklist of the seed reference: every class, method, type and exception under its own name in our casing. */
describe('seed coverage', () => {
  it.each([
    ['DAPClient', 'DapClient'],
    ['AccessToken', 'AccessToken'],
    ['DAPSession', 'DapSession'],
    ['DAPClientError', 'DapClientError'],
    ['DownloadError', 'DownloadError'],
    ['Credentials', 'Credentials'],
    ['ServerError', 'ServerError'],
    ['OperationError', 'OperationError'],
    ['AuthenticationError', 'AuthenticationError'],
    ['AccountNotOnboardedError', 'AccountNotOnboardedError'],
    ['AccountDisabledError', 'AccountDisabledError'],
    ['AccountUnderMaintenanceError', 'AccountUnderMaintenanceError'],
    ['RequestTypeForbiddenError', 'RequestTypeForbiddenError'],
    ['RateLimitedError', 'RateLimitedError'],
    ['ValidationError', 'ValidationError'],
    ['NotFoundError', 'NotFoundError'],
    ['OutOfRangeError', 'OutOfRangeError'],
    ['SnapshotRequiredError', 'SnapshotRequiredError'],
    ['ProcessingError', 'ProcessingError'],
    ['GatewayTimeoutError', 'GatewayTimeoutError'],
    ['isTerminal', 'isTerminal'],
  ] as const)('%s is %s', (_seed, name) => {
    expect(exported[name]).toBeTypeOf('function');
  });

  it.each([
    ['close'],
    ['authenticate'],
    ['querySnapshot'],
    ['queryIncremental'],
    ['getTables'],
    ['getTableList'],
    ['getTableSchema'],
    ['downloadTableSchema'],
    ['getJob'],
    ['getJobStatus'],
    ['getObjects'],
    ['getResources'],
    ['downloadResources'],
    ['downloadResource'],
    ['downloadObjects'],
    ['downloadObject'],
    ['streamResource'],
    ['awaitJob'],
    ['executeJob'],
    ['downloadTableData'],
    ['getTableData'],
    ['downloadTablesData'],
    ['downloadTablesSchema'],
    ['executeOperationOnTables'],
  ] as const)('DapSession.%s', (method) => {
    expect(new World(() => undefined).session[method]).toBeTypeOf('function');
  });

  it('AccessToken.isExpiring', () => {
    expect(dap.AccessToken.prototype.isExpiring).toBeTypeOf('function');
  });

  it.each([
    ['DownloadError', 'DapClientError'],
    ['AuthenticationError', 'OperationError'],
    ['AccountNotOnboardedError', 'OperationError'],
    ['AccountDisabledError', 'OperationError'],
    ['ValidationError', 'OperationError'],
    ['NotFoundError', 'OperationError'],
    ['OutOfRangeError', 'OperationError'],
    ['SnapshotRequiredError', 'OperationError'],
    ['ProcessingError', 'OperationError'],
    ['RateLimitedError', 'OperationError'],
  ] as const)('%s is a %s', (child, parent) => {
    expect(Object.prototype.isPrototypeOf.call(exported[parent], exported[child] as object)).toBe(true);
  });

  it('GatewayTimeoutError and ServerError are no OperationError', () => {
    for (const error of [dap.GatewayTimeoutError, dap.ServerError]) {
      expect(Object.prototype.isPrototypeOf.call(dap.OperationError, error)).toBe(false);
    }
  });

  it('the types are there under their names', () => {
    expectTypeOf<dap.VersionedSchema>().toHaveProperty('version');
    expectTypeOf<dap.Object>().toEqualTypeOf<{ readonly id: string }>();
    expectTypeOf<dap.Resource>().toEqualTypeOf<{ readonly url: dap.URL }>();
    expectTypeOf<dap.JobStatus>().toEqualTypeOf<'waiting' | 'running' | 'complete' | 'failed'>();
    expectTypeOf<dap.CompleteJob>().toExtend<dap.TableJob>();
    expectTypeOf<dap.CompleteSnapshotJob>().toExtend<dap.CompleteJob>();
    expectTypeOf<dap.CompleteIncrementalJob>().toExtend<dap.CompleteJob>();
    expectTypeOf<dap.FailedJob>().toExtend<dap.TableJob>();
    expectTypeOf<dap.Job>().toEqualTypeOf<
      dap.TableJob | dap.CompleteSnapshotJob | dap.CompleteIncrementalJob | dap.FailedJob
    >();
    expectTypeOf<dap.TableList>().toHaveProperty('tables');
    expectTypeOf<dap.Format>().toEqualTypeOf<'tsv' | 'csv' | 'jsonl' | 'parquet'>();
    expectTypeOf<dap.Mode>().toEqualTypeOf<'expanded' | 'condensed'>();
    expectTypeOf<dap.SnapshotQuery>().toExtend<dap.TableQuery>();
    expectTypeOf<dap.IncrementalQuery>().toExtend<dap.TableQuery>();
    expectTypeOf<dap.ResourceResult>().toHaveProperty('urls');
    expectTypeOf<dap.TokenProperties>().toHaveProperty('access_token');
    expectTypeOf<dap.Location>().toEqualTypeOf<{
      readonly line: number;
      readonly column: number;
      readonly character: number;
    }>();
    expectTypeOf<dap.DownloadTableDataResult>().toExtend<dap.TableDataResult>();
    expectTypeOf<dap.GetTableDataResult>().toExtend<dap.TableDataResult>();
  });
});
