import type { ConnectorContext, Resource } from '../async-connector.ts';
import { unknownState } from '../async-connector.ts';
import { ConnectorError } from '../errors.ts';
import { isPhase, isTerminal, type Phase } from '../phases.ts';

/** External states and the phases they mean. */
export type StateTable = Readonly<Record<string, Phase>>;

/** What services commonly call their states, in small letters. */
export const COMMON_STATES: StateTable = {
  pending: 'INITIALIZING',
  running: 'RUNNING',
  terminating: 'RUNNING',
  done: 'SUCCEEDED',
  succeeded: 'SUCCEEDED',
  success: 'SUCCEEDED',
  completed: 'SUCCEEDED',
  failed: 'FAILED',
  timeout: 'FAILED',
  timedout: 'FAILED',
  canceled: 'FAILED',
  cancelled: 'FAILED',
  skipped: 'FAILED',
  internal_error: 'RETRYABLE_FAILED',
};

/** @throws {Error} naming the first state that is given no phase a job can be in */
export function checkStates(states: Readonly<Record<string, unknown>>, option: string): void {
  for (const [state, phase] of Object.entries(states)) {
    if (isPhase(phase) && phase !== 'UNDEFINED') continue;
    throw new Error(`"${option}" must give ${JSON.stringify(state)} a phase, got ${JSON.stringify(phase)}`);
  }
}

/** The phase of a state in `table`; if it is not there, what the connector answers for a state it does not know. */
export function phaseOf(
  state: unknown,
  table: StateTable,
  context: Pick<ConnectorContext, 'logger'>,
): { readonly phase: Phase; readonly message?: string } {
  const phase = typeof state === 'string' && Object.hasOwn(table, state) ? table[state] : undefined;
  return phase === undefined ? unknownState(state, context) : { phase };
}

/**
 * A service that refuses to stop a job may do so because the job has ended. Asks it: only a job that may go on makes the
 * refusal an error.
 *
 * @throws the refusal
 */
export async function unlessEnded(refusal: unknown, look: () => Promise<Resource>): Promise<void> {
  if (!(refusal instanceof ConnectorError) || refusal.retryable || refusal.code === 'Unauthenticated') throw refusal;
  if (refusal.code === 'ResourceGone') return;
  const resource = await look().catch((error: unknown) => error);
  if (resource instanceof ConnectorError) {
    if (resource.code === 'ResourceGone') return;
  } else if (!(resource instanceof Error) && isTerminal((resource as Resource).phase)) return;
  throw refusal;
}
