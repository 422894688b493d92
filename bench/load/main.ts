import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { days, minutes as minutesMs } from '../../shared/core/units.ts';
import { broken, grownBy, type Sample, shown } from './evaluate.ts';
import type { Places } from './pipelines.ts';
import { Sources } from './sources.ts';
import { StoredState } from './stored.ts';
import type { WorkerFacts } from './worker.ts';

const HELP = `Puts a worker on the embedded backend under load: a folder, a stream and external jobs that change all the time, and
a sink, each refreshed again as soon as it is done. Tells how the worker is, and ends with 1 if a bound of
bench/load/evaluate.ts does not hold.

  npm run load -- [--minutes 30] [--every SECONDS] [--json FILE]

  --minutes  how long, at least 0.5; default 30
  --every    seconds between two samples; default a sixtieth of the time
  --json     writes all that was seen to a file
  --help
`;

const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    minutes: { type: 'string', default: '30' },
    every: { type: 'string' },
    help: { type: 'boolean' },
  },
});

/** Asks the worker how it is, or to end and to say how it was. @throws it has ended already */
async function ask(worker: ChildProcess, what: 'facts' | 'end'): Promise<WorkerFacts> {
  const over = new AbortController();
  const { signal } = over;
  const died = once(worker, 'exit', { signal }).then(([code]) =>
    Promise.reject(new Error(`the worker ended with ${code}`)),
  );
  worker.send(what);
  try {
    const [facts] = await Promise.race([once(worker, 'message', { signal }), died]);
    return facts as WorkerFacts;
  } finally {
    died.catch(() => {});
    over.abort();
  }
}

function sampleOf(facts: WorkerFacts, state: StoredState, aheadMs: number, seconds: number): Sample {
  const { rssBytes, descriptors, handles, runs, failedRuns, partitions, landedBytes } = facts;
  const bytes = Object.values(landedBytes).reduce((sum, one) => sum + one, 0);
  const of = {
    rssMib: rssBytes / 1024 ** 2,
    descriptors,
    handles,
    runs,
    failedRuns,
    partitions,
    mib: bytes / 1024 ** 2,
  };
  return { seconds: Math.round(seconds), ...of, ...state.look(aheadMs) };
}

function lineOf(sample: Sample, before: Sample | undefined): string {
  const { seconds, rssMib, descriptors, handles, databaseMib, heldMib, waitSeconds, partitions, mib, runs } = sample;
  const spanSeconds = seconds - (before?.seconds ?? 0) || 1;
  const waits = Object.entries(waitSeconds).flatMap(([queue, one]) => (one >= 0.1 ? [`${queue} ${shown(one)} s`] : []));
  return [
    `${seconds} s`.padStart(7),
    `RSS ${shown(rssMib)} MiB`,
    `${descriptors} descriptors`,
    `${handles} handles`,
    `database ${shown(databaseMib)} MiB with ${shown(heldMib)}`,
    `oldest message: ${waits.join(', ') || 'none waits'}`,
    `${shown((partitions - (before?.partitions ?? 0)) / spanSeconds)} partitions/s`,
    `${shown((mib - (before?.mib ?? 0)) / spanSeconds)} MiB/s`,
    `runs ${Object.entries(runs)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')}`,
  ].join(' · ');
}

function summaryOf(samples: readonly Sample[]): string {
  const last = samples.at(-1)!;
  const later = samples.slice(Math.floor(samples.length / 2));
  const range = (value: (sample: Sample) => number) => {
    const all = later.map(value);
    const grown = grownBy(later, value);
    return `${shown(Math.min(...all))} to ${shown(Math.max(...all))}, a line through it rises by ${shown(grown)}`;
  };
  const longest = Math.max(...samples.flatMap(({ waitSeconds }) => Object.values(waitSeconds)));
  return [
    `\n${last.seconds} s on ${cpus().length} cores; the second half:`,
    `  RSS in MiB          ${range(({ rssMib }) => rssMib)}`,
    `  descriptors         ${range(({ descriptors }) => descriptors)}`,
    `  handles             ${range(({ handles }) => handles)}`,
    `  database in MiB     ${range(({ databaseMib }) => databaseMib)}`,
    `  held in MiB         ${range(({ heldMib }) => heldMib)}`,
    `  lasting items       ${range(({ lastingItems }) => lastingItems)}`,
    `all of it: ${last.partitions} partitions, ${shown(last.mib)} MiB landed, ${shown(last.partitions / last.seconds)} partitions/s, ${shown(last.mib / last.seconds)} MiB/s`,
    `  a message waited for ${shown(longest)} s at most; an item stayed for ${shown(Math.max(...samples.map(({ overdueSeconds }) => overdueSeconds)))} s behind its end`,
  ].join('\n');
}

/** Lets the load go on for so long, and then end in order. @returns what was seen, and what is wrong */
async function load(top: string, minutes: number): Promise<{ samples: Sample[]; wrong: string[] }> {
  const everyMs = 1000 * Number(values.every ?? minutes);
  const goesAwayMinutes = Math.min(8, minutes / 4);
  const sources = await Sources.open(top);
  const { server, folder } = sources;
  const [home, bucket] = [join(top, 'home'), join(top, 'bucket')];
  const places: Places = { folder, bucket: pathToFileURL(bucket).href, disUrl: server.url, region: server.region };
  const { accessKey, secretKey, projectId } = server.credentials;
  const worker = fork(join(import.meta.dirname, 'worker.ts'), [home, JSON.stringify(places), String(goesAwayMinutes)], {
    env: { ...process.env, LANDFALL_SECRET_DIS: JSON.stringify({ accessKey, secretKey, projectId }) },
  });
  const ended = once(worker, 'exit');
  const samples: Sample[] = [];
  try {
    await ask(worker, 'facts');
    const state = new StoredState(join(home, 'landfall.sqlite'));
    sources.change();
    const began = performance.now();
    while (performance.now() - began < minutes * 60_000) {
      await wait(everyMs);
      const facts = await ask(worker, 'facts');
      sources.landedStreamBytes = facts.landedBytes.feed ?? 0;
      const seconds = (performance.now() - began) / 1000;
      const sample = sampleOf(facts, state, days90Less(goesAwayMinutes), seconds);
      console.log(lineOf(sample, samples.at(-1)));
      samples.push(sample);
    }
    state.close();
    await sources.stop();
    const last = await ask(worker, 'end');
    await ended;
    const differing = await sources.differences(bucket);
    const landed = last.landedBytes.feed ?? 0;
    const lost = [
      ...(differing.length > 0 ? [`${differing.length} files differ in the sink, such as ${differing[0]}`] : []),
      ...(landed === sources.streamBytes
        ? []
        : [`${sources.streamBytes} bytes went into the stream, ${landed} landed`]),
    ];
    return { samples, wrong: [...broken(samples), ...lost] };
  } finally {
    worker.kill('SIGKILL');
    await ended;
    await sources.close();
  }
}

const days90Less = (goesAwayMinutes: number): number => days(90) - minutesMs(goesAwayMinutes);

async function main(): Promise<void> {
  if (values.help) return console.log(HELP);
  const minutes = Number(values.minutes);
  if (!(minutes >= 0.5)) throw new Error(`--minutes must be 0.5 or more, got ${values.minutes}`);
  const top = await mkdtemp(join(tmpdir(), 'landfall-load-'));
  try {
    const { samples, wrong } = await load(top, minutes);
    if (values.json) await writeFile(values.json, JSON.stringify({ samples, wrong }));
    console.log(summaryOf(samples));
    for (const one of wrong) console.log(`BROKEN: ${one}`);
    if (wrong.length > 0) process.exitCode = 1;
    else console.log('All bounds hold: the sink holds what the folder does, and all of the stream has landed.');
  } finally {
    await rm(top, { recursive: true, force: true });
  }
}

await main();
