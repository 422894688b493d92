import { spawn } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { MIB } from '../shared/core/units.ts';

/** What one run of a case gives: numbers by name, their unit at the end of the name. */
export type Figures = Readonly<Record<string, number>>;

/** What a figure must be at most, or at least. */
export interface Target {
  readonly figure: string;
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** What a user would run instead, in the same run of the bench. */
export interface Peer {
  readonly name: string;
  /** Why it cannot run here. */
  missing?(): Promise<string | undefined>;
  run(folder: string): Promise<Figures>;
}

export interface BenchCase {
  readonly name: string;
  readonly what: string;
  readonly targets: readonly Target[];
  /** Cases of one key share what was prepared. Default: the case's name. */
  readonly prepared?: string;
  /** Said beside the figures: what stands in for what. */
  readonly notes?: readonly string[];
  readonly runs: number;
  /** Why it cannot run here. */
  missing?(): Promise<string | undefined>;
  /** Once, in a process of its own. What it returns is given beside the figures. */
  prepare?(folder: string): Promise<Figures>;
  /** Each time in a process of its own, so that peak memory is its own. */
  measure(folder: string, prepared: Figures): Promise<Figures>;
  readonly peers?: readonly Peer[];
  /** Figures that follow from the medians of the case and its peers, such as ratios. */
  compare?(own: Figures, peers: Readonly<Record<string, Figures>>): Figures;
}

/** Folders that a run leaves behind begin so; they go when the bench ends, and what was prepared may stay. */
export const RUN = 'run-';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly node: string;
  readonly platform: string;
  readonly date: string;
}

export function machine(now: Date): Machine {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 1024 ** 3),
    node: `${process.version} ${NODE_FLAGS.join(' ')}`,
    platform: `${process.platform} ${process.arch}`,
    date: now.toISOString().slice(0, 10),
  };
}

export const peakRssMib = (): number => Math.round((process.resourceUsage().maxRSS * 1024) / MIB);

/** The median of each figure. */
export function medians(runs: readonly Figures[]): Figures {
  const names = new Set(runs.flatMap((run) => Object.keys(run)));
  return Object.fromEntries(
    [...names].map((name) => [name, median(runs.flatMap((run) => (run[name] === undefined ? [] : [run[name]])))]),
  );
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export async function timed<T>(work: () => Promise<T>): Promise<{ seconds: number; result: T }> {
  const began = performance.now();
  const result = await work();
  return { seconds: (performance.now() - began) / 1000, result };
}

/** As the `landfall` command and the functions are started. */
export const NODE_FLAGS = ['--max-semi-space-size=1'];

export type ChildTask = 'prepare' | 'measure' | `peer:${string}`;

/** Runs one task of a case in a process of its own. @throws if it fails, with what it said */
export async function inChild(one: BenchCase, task: ChildTask, folder: string, prepared: Figures): Promise<Figures> {
  const child = fileURLToPath(new URL('child.ts', import.meta.url));
  const args = [...NODE_FLAGS, child, one.name, task, folder, JSON.stringify(prepared)];
  const { stdout } = await runCommand(process.execPath, args);
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Figures;
}

/** A command's output. @throws if it ends with another code than 0, with what it wrote to stderr */
export function runCommand(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ readonly stdout: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-4000);
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve({ stdout });
      else reject(new Error(`${command} ended with ${code}: ${stderr}`));
    });
  });
}

/** Where a command lies, or undefined if it is not installed. */
export async function findCommand(name: string): Promise<string | undefined> {
  return runCommand('sh', ['-c', `command -v ${name}`]).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
}
