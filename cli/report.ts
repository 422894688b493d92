import { latestKey } from '../shared/landing/keys.ts';
import { isFinal } from '../shared/runs/store.ts';
import { EXIT } from './errors.ts';
import type { FollowedRun } from './follow.ts';
import { COUNT_COLUMNS, countCells, type RunView, runView } from './run-view.ts';
import type { Session } from './session.ts';
import { oneLine, tableText } from './text.ts';

/** Prints what became of runs. @returns the exit code: of each pipeline the last run counts */
export async function reportRuns(runs: readonly FollowedRun[], session: Session): Promise<number> {
  const views = runs.map(({ pipeline, record, resumed }) => ({ view: runView(pipeline, record), resumed }));
  if (session.json) {
    for (const { view, resumed } of views) await session.printJson({ ...view, resumed });
  } else if (views.length > 0) {
    const rows = views.map(({ view }) => [
      view.pipeline,
      `${view.run}`,
      ...countCells(view),
      view.manifest ? latestKey(view.pipeline) : '-',
    ]);
    const columns = [{ title: 'pipeline' }, { title: 'run', right: true }, ...COUNT_COLUMNS, { title: 'manifest' }];
    await session.print(tableText(columns, rows));
    for (const { view } of views) for (const line of remarks(view, session)) await session.print(`${line}\n`);
  }
  if (session.stopping.stopped) return EXIT.interrupted;
  const last = new Map(runs.map(({ pipeline, record }) => [pipeline, record.state]));
  return [...last.values()].every((state) => state === 'SUCCEEDED') ? EXIT.done : EXIT.failed;
}

function remarks({ pipeline, run, state, error, failed = 0, warnings = [] }: RunView, session: Session): string[] {
  const name = `${pipeline}, run ${run}`;
  const lines = warnings.map((warning) => `${session.styled('yellow', 'warning')}: ${name}: ${oneLine(warning)}`);
  if (!isFinal(state as Parameters<typeof isFinal>[0]))
    lines.push(`${name} is not over; the next run goes on with it.`);
  else if (state === 'CANCELLED') lines.push(`${name} was cancelled.`);
  else if (state === 'FAILED')
    lines.push(
      `${session.styled('red', 'FAILED')}: ${name}: ${error ? `${error.code}: ${oneLine(error.message)}` : '-'}`,
    );
  if (failed > 0) {
    lines.push(
      `${session.styled('red', 'PARTIAL')}: ${name}: ${failed} failed; why: landfall partitions ${pipeline} --state FAILED (or LISTING_FAILED); again: landfall redrive ${pipeline}`,
    );
  }
  return lines;
}
