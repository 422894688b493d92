/** Where an external job stands, as its connector reports it; names and numbers are those of Flyte's task phases. */
export type Phase = keyof typeof PHASE_NUMBERS;

export const PHASE_NUMBERS = {
  UNDEFINED: 0,
  QUEUED: 1,
  RUNNING: 2,
  SUCCEEDED: 3,
  ABORTED: 4,
  FAILED: 5,
  INITIALIZING: 6,
  WAITING_FOR_RESOURCES: 7,
  RETRYABLE_FAILED: 8,
} as const;

const TERMINAL: ReadonlySet<Phase> = new Set(['SUCCEEDED', 'ABORTED', 'FAILED', 'RETRYABLE_FAILED']);

/** True if the job has ended: no later answer changes it. */
export const isTerminal = (phase: Phase): boolean => TERMINAL.has(phase);

export const isPhase = (value: unknown): value is Phase =>
  typeof value === 'string' && Object.hasOwn(PHASE_NUMBERS, value);

/** A phase by its name or number; undefined if there is none. */
export function phaseOf(value: unknown): Phase | undefined {
  if (isPhase(value)) return value;
  return (Object.keys(PHASE_NUMBERS) as Phase[]).find((phase) => PHASE_NUMBERS[phase] === value);
}
