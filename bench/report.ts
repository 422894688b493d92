import type { BenchCase, Figures, Machine, Target } from './measure.ts';

export type CaseReport =
  | { readonly case: BenchCase; readonly skipped: string }
  | {
      readonly case: BenchCase;
      /** Medians. */
      readonly figures: Figures;
      readonly runs: readonly Figures[];
      readonly prepared: Figures;
      readonly peers: Readonly<Record<string, Figures>>;
      /** Peers that could not run, and why. */
      readonly absent: Readonly<Record<string, string>>;
    };

export function report(where: Machine, reports: readonly CaseReport[]): { text: string; json: string } {
  const lines = [
    `${where.cpu}, ${where.cores} cores, ${where.memoryGib} GiB, ${where.platform}, Node ${where.node}, ${where.date}`,
    '',
    ...reports.flatMap(linesOf),
  ];
  const cases = reports.map((one) =>
    'skipped' in one
      ? { case: one.case.name, skipped: one.skipped }
      : {
          case: one.case.name,
          what: one.case.what,
          targets: one.case.targets.map((target) => ({ ...target, met: isMet(target, one.figures) })),
          figures: one.figures,
          peers: one.peers,
          absent: one.absent,
          prepared: one.prepared,
          runs: one.runs,
          notes: one.case.notes ?? [],
        },
  );
  return { text: lines.join('\n'), json: JSON.stringify({ machine: where, cases }, undefined, 1) };
}

function linesOf(one: CaseReport): string[] {
  const title = `${one.case.name}: ${one.case.what}`;
  if ('skipped' in one) return [title, `  skipped: ${one.skipped}`, ''];
  const { figures, runs, prepared, peers, absent } = one;
  const targets = one.case.targets.map((target) => [
    target.figure,
    shown(figures[target.figure]),
    limitOf(target),
    isMet(target, figures) ? 'met' : 'MISSED',
    spread(target.figure, runs),
  ]);
  const aimed = new Set(one.case.targets.map(({ figure }) => figure));
  const others = Object.entries(figures).filter(([name]) => !aimed.has(name));
  return [
    `${title} (median of ${runs.length})`,
    ...aligned(targets),
    ...(others.length > 0 ? [`  ${listed(Object.fromEntries(others))}`] : []),
    ...Object.entries(peers).map(([name, figuresOf]) => `  beside ${name}: ${listed(figuresOf)}`),
    ...Object.entries(absent).map(([name, why]) => `  beside ${name}: ${why}`),
    ...(Object.keys(prepared).length > 0 ? [`  prepared: ${listed(prepared)}`] : []),
    ...(one.case.notes ?? []).map((note) => `  (${note})`),
    '',
  ];
}

function isMet({ figure, atMost = Infinity, atLeast = -Infinity }: Target, figures: Figures): boolean {
  const value = figures[figure];
  return value !== undefined && value <= atMost && value >= atLeast;
}

const limitOf = ({ atMost, atLeast }: Target) => (atMost === undefined ? `>= ${atLeast}` : `<= ${atMost}`);

function spread(figure: string, runs: readonly Figures[]): string {
  const values = runs.flatMap((run) => (run[figure] === undefined ? [] : [run[figure]]));
  return values.length < 2 ? '' : `${shown(Math.min(...values))} to ${shown(Math.max(...values))}`;
}

const listed = (figures: Figures) =>
  Object.entries(figures)
    .map(([name, value]) => `${name} ${shown(value)}`)
    .join(', ');

function shown(value: number | undefined): string {
  if (value === undefined) return 'not measured';
  if (Number.isInteger(value)) return value.toLocaleString('en');
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]!.length))) ?? [];
  return rows.map(
    (row) =>
      `  ${row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd()}`,
  );
}
