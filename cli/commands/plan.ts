import { Command } from 'commander';
import { InvalidInputError } from '../../shared/core/errors.ts';
import { pathText } from '../../shared/landing/flat-manifest.ts';
import { type PlannedChange, planOnly } from '../../shared/operations/plan-only.ts';
import { type Act, examples } from '../act.ts';
import { type CostOptions, type CostPrinter, costPrinter } from '../cost.ts';
import { EXIT, InterruptedError } from '../errors.ts';
import { pairs, wholeNumber } from '../options.ts';
import { chosenPipelines } from '../pipelines.ts';
import type { Session } from '../session.ts';
import { bytesText, countText, printable } from '../text.ts';

interface PlanOptions extends CostOptions {
  readonly all?: boolean;
  readonly limit?: number;
  readonly cost?: boolean;
}

export const planCommand = (act: Act): Command =>
  new Command('plan')
    .description('say what a run would read or remove, and why; reads no partition')
    .argument('[pipeline...]', 'names of pipelines')
    .option('--all', 'all pipelines')
    .option('--limit <changes>', 'show so many changes of each pipeline; all are counted', wholeNumber(0))
    .option('--cost', 'also say what the run would cost on AWS, how long it would take, and which quota it meets first')
    .option('--deployment <file>', 'with --cost: the settings of the functions (default serverless.yml)')
    .option(
      '--param <name=value>',
      'with --cost: a parameter of that file, such as readConcurrency=100 (repeat it)',
      pairs,
    )
    .option('--set <name=value>', 'with --cost: a quota or a speed, such as lambda.concurrency=10 (repeat it)', pairs)
    .addHelpText(
      'after',
      examples(
        'plan vega-files',
        'plan --all --limit 10',
        'plan vega-files --json',
        'plan vega-files --limit 0 --cost',
      ),
    )
    .action(
      act<[string[]], PlanOptions>(async (session, [names], options) => {
        if (names.length === 0 && !options.all) throw new InvalidInputError('name at least one pipeline, or say --all');
        const { deps } = await session.open();
        checkCostOptions(options);
        return printPlan(await chosenPipelines(names, options.all === true, deps), options, session);
      }),
    );

function checkCostOptions({ cost, deployment, param, set }: PlanOptions): void {
  if (!cost && (deployment ?? param ?? set) !== undefined)
    throw new InvalidInputError('--deployment, --param and --set go with --cost');
}

/** Streams the plans of pipelines: a source may have millions of changes. */
export async function printPlan(
  names: readonly string[],
  { limit = Number.POSITIVE_INFINITY, ...options }: PlanOptions,
  session: Session,
): Promise<number> {
  const { deps } = await session.open();
  const costs: CostPrinter | undefined = options.cost ? await costPrinter(options, session) : undefined;
  const deadline = session.deadline();
  for (const name of names) {
    const pipeline = await deps.pipelines.get(name);
    const reasons = new Map<string, number>();
    let bytes = 0;
    let shown = 0;
    const work = costs?.workSum(deps.sizes);
    for await (const change of planOnly(pipeline, deps, deadline, work)) {
      if (session.stopping.stopped) throw new InterruptedError();
      reasons.set(change.reason, (reasons.get(change.reason) ?? 0) + (change.partitions ?? 1));
      if (change.reason === 'UNCHANGED') continue;
      if (change.reason !== 'REMOVED') bytes += change.bytes ?? 0;
      if (shown++ < limit) await printChange(name, change, session);
    }
    await printSummary(name, reasons, bytes, Math.max(0, shown - limit), session);
    if (work) await costs?.print(pipeline, work);
  }
  return EXIT.done;
}

async function printChange(pipeline: string, change: PlannedChange, session: Session): Promise<void> {
  const { path, kind, reason, bytes } = change;
  const text = pathText(path);
  if (session.json) {
    const size = bytes === undefined ? {} : { bytes };
    return session.printJson({ type: 'change', pipeline, reason, kind, path, pathText: text, ...size });
  }
  const size = bytes === undefined ? '' : bytesText(bytes);
  await session.print(`${reason.padEnd(REASON_WIDTH)}  ${size.padStart(SIZE_WIDTH)}  ${printable(text)}\n`);
}

const REASON_WIDTH = 'CODE_CHANGED'.length;
const SIZE_WIDTH = '999 MiB'.length;

async function printSummary(
  pipeline: string,
  reasons: ReadonlyMap<string, number>,
  bytes: number,
  hidden: number,
  session: Session,
): Promise<void> {
  const counts = Object.fromEntries(reasons);
  if (session.json) return session.printJson({ type: 'summary', pipeline, reasons: counts, bytes });
  const { UNCHANGED = 0, ...others } = counts;
  const parts = Object.entries(others).map(([reason, count]) => `${countText(count)} ${reason}`);
  const changes = parts.length > 0 ? parts.join(', ') : 'nothing to read or remove';
  const more = hidden > 0 ? `… and ${countText(hidden)} more\n` : '';
  const size = bytes > 0 ? `; at least ${bytesText(bytes)} to read` : '';
  await session.print(
    `${more}${session.styled('bold', pipeline)}: ${changes}, ${countText(UNCHANGED)} UNCHANGED${size}\n`,
  );
}
