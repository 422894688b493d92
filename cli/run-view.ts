import type { MeterLine } from '../shared/core/meter.ts';
import { landedCount } from '../shared/nodes/totals.ts';
import type { RunRecord } from '../shared/runs/store.ts';
import { bytesText, type Column, countText, secondsText } from './text.ts';

/** A run as `--json` prints it. What is not known is left out. */
export interface RunView {
  readonly pipeline: string;
  readonly run: number;
  readonly trigger: string;
  readonly state: string;
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly seconds?: number;
  /** Partitions that landed for the first time, that landed anew, that stayed, that dropped out, that stand failed. */
  readonly new?: number;
  readonly changed?: number;
  readonly unchanged?: number;
  readonly removed?: number;
  readonly failed?: number;
  /** Landings by reason code. */
  readonly landed?: Readonly<Record<string, number>>;
  /** What the run landed. */
  readonly bytes?: number;
  /** All that stands now. */
  readonly partitions?: number;
  readonly totalBytes?: number;
  /** Key of the tree's manifest, and whether this run published it. */
  readonly manifest?: string;
  readonly published: boolean;
  /** Requests to the backend by service, operation and resource, with billed units, where one process worked alone. */
  readonly requests?: readonly MeterLine[];
  readonly warnings?: readonly string[];
  readonly error?: { readonly code: string; readonly name: string; readonly message: string };
}

export function runView(pipeline: string, record: RunRecord): RunView {
  const { run, trigger, state, startedAt, endedAt, totals, ran, manifest, publishedAt, error, warnings } = record;
  const landed = ran && landedCount(ran);
  const firstTime = ran?.landed.NEW ?? 0;
  return {
    pipeline,
    run,
    trigger,
    state,
    startedAt: new Date(startedAt).toISOString(),
    ...(endedAt === undefined
      ? {}
      : { endedAt: new Date(endedAt).toISOString(), seconds: (endedAt - startedAt) / 1000 }),
    ...(totals && ran && landed !== undefined
      ? {
          new: firstTime,
          changed: landed - firstTime,
          // A feed may have landed what its manifest does not show yet.
          unchanged: Math.max(0, totals.partitions - landed),
          removed: ran.removed,
          failed: totals.failed,
          landed: ran.landed,
          bytes: ran.landedBytes,
          partitions: totals.partitions,
          totalBytes: totals.bytes,
        }
      : {}),
    ...(manifest ? { manifest } : {}),
    published: publishedAt !== undefined,
    ...(record.requests ? { requests: record.requests } : {}),
    ...(warnings && warnings.size > 0 ? { warnings: [...warnings] } : {}),
    ...(error ? { error: { code: error.code, name: error.name, message: error.message } } : {}),
  };
}

const UNKNOWN = '-';
const known = <T>(value: T | undefined, text: (value: T) => string): string =>
  value === undefined ? UNKNOWN : text(value);

export const COUNT_COLUMNS: readonly Column[] = [
  ...['new', 'changed', 'unchanged', 'removed', 'failed', 'bytes', 'seconds'].map((title) => ({ title, right: true })),
];

export function countCells(view: RunView): string[] {
  return [
    ...[view.new, view.changed, view.unchanged, view.removed, view.failed].map((count) => known(count, countText)),
    known(view.bytes, bytesText),
    known(view.seconds, (seconds) => secondsText(seconds * 1000)),
  ];
}
