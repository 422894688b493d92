import { IngestError } from '../../core/errors.ts';
import type { AsyncConnector } from './async-connector.ts';
import { CONNECTOR_CHECKS, type ConnectorCheckName } from './connector-checks.ts';
import { TestRun, type TestRunOptions } from './test-run.ts';

export interface TestConnectorOptions<M> extends TestRunOptions<M> {
  /** Default: all. */
  readonly checks?: readonly ConnectorCheckName[];
}

export interface ConnectorCheckReport {
  readonly check: ConnectorCheckName;
  readonly outcome: 'passed' | 'skipped';
  /** Why it was skipped: what the connector does not have, or which scenario is missing. */
  readonly reason?: string;
}

/**
 * Puts a connector through what the executor will ask of it, against a service that the caller emulates (or a real one), and
 * needs no test framework. Each check makes jobs of its own, and deletes them.
 *
 * @returns what was checked, and what was skipped for want of a scenario
 * @throws {ConnectorTestError} after all checks have run, naming those that failed
 */
export async function testConnector<M>(
  connector: AsyncConnector<M>,
  options: TestConnectorOptions<M>,
): Promise<readonly ConnectorCheckReport[]> {
  const reports: ConnectorCheckReport[] = [];
  const failures: ConnectorCheckFailure[] = [];
  for (const check of options.checks ?? (Object.keys(CONNECTOR_CHECKS) as ConnectorCheckName[])) {
    await using run = new TestRun(connector, options);
    try {
      const reason = await CONNECTOR_CHECKS[check](run as TestRun<unknown>);
      reports.push(reason === undefined ? { check, outcome: 'passed' } : { check, outcome: 'skipped', reason });
    } catch (error) {
      failures.push({ check, error });
    }
  }
  if (failures.length > 0) throw new ConnectorTestError(connector.taskTypeName, failures);
  return reports;
}

export interface ConnectorCheckFailure {
  readonly check: ConnectorCheckName;
  readonly error: unknown;
}

/** A connector does not do what the executor needs of it. */
export class ConnectorTestError extends IngestError {
  override readonly name = 'ConnectorTestError';
  readonly code = 'ConnectorTest';
  readonly retryable = false;
  readonly failures: readonly ConnectorCheckFailure[];

  constructor(taskType: string, failures: readonly ConnectorCheckFailure[]) {
    const told = failures.map(
      ({ check, error }) => `${check}: ${error instanceof Error ? error.message : String(error)}`,
    );
    super(`the connector of ${taskType} fails ${failures.length} of its checks:\n- ${told.join('\n- ')}`, {
      cause: failures[0]?.error,
    });
    this.failures = failures;
  }
}
