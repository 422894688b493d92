import { join } from 'node:path';
import { styleText } from 'node:util';
import type { Backend } from '../shared/backends/backend.ts';
import { openBackend, readSettings, type Settings } from '../shared/backends/config.ts';
import { systemClock } from '../shared/core/clock.ts';
import { type Deadline, noDeadline } from '../shared/core/deadline.ts';
import { jsonLogger, type Logger } from '../shared/core/logger.ts';
import { newMeter } from '../shared/core/meter.ts';
import type { Redactor } from '../shared/core/redaction.ts';
import { openRefresh } from '../shared/operations/open.ts';
import { externalTasks } from '../shared/operations/tasks.ts';
import { catalogOf, type InvalidPipelineError, invalidPipeline } from '../shared/pipelines/catalog.ts';
import { loadPipelineFiles } from '../shared/pipelines/folder.ts';
import type { RefreshDeps } from '../shared/refresh/deps.ts';
import { errorLine } from './errors.ts';
import type { Io } from './io.ts';
import { LogFile } from './log-file.ts';
import type { GlobalOptions } from './options.ts';
import { linesOf, ProgressLines, Watch } from './progress.ts';
import { Stopping } from './stopping.ts';

/** What a command works with once its backend and pipelines are open. */
export interface Opened {
  readonly settings: Settings;
  readonly backend: Backend;
  readonly deps: RefreshDeps;
  /** Files of the pipelines' folder that define none. */
  readonly broken: readonly InvalidPipelineError[];
}

const DEFAULT_HOME = '.landfall';

/** One command's run: what it was asked for, and what it opened. */
export class Session {
  readonly io: Io;
  readonly global: GlobalOptions;
  readonly redactor: Redactor;
  readonly stopping: Stopping;
  readonly #settings: Settings;
  readonly #logFile: LogFile | undefined;
  readonly #log: Logger;
  readonly #watch: Watch | undefined;
  #opened: Promise<Opened> | undefined;
  #progress: ProgressLines | undefined;

  /** @throws {InvalidInputError} a setting is wrong */
  constructor(io: Io, global: GlobalOptions, redactor: Redactor) {
    this.io = io;
    this.global = global;
    this.redactor = redactor;
    const env = withOptions(io.env, global);
    this.#settings = readSettings(env);
    const home = env.LANDFALL_HOME || DEFAULT_HOME;
    this.#logFile = global.logLevel ? undefined : new LogFile(join(home, 'logs', 'landfall.log'));
    this.#log = jsonLogger({
      clock: systemClock,
      redactor,
      level: this.#settings.logLevel,
      write: this.#logFile?.write ?? ((line) => void io.stderr.write(`${line}\n`)),
    });
    this.#watch = showsProgress(io, global) ? new Watch() : undefined;
    this.stopping = new Stopping(
      io,
      (text) => this.note(text),
      () => this.#logFile?.close(),
    );
  }

  get json(): boolean {
    return this.global.json === true;
  }

  get log(): Logger {
    return this.#log;
  }

  /** Where the log goes, if that is a file. */
  get logPath(): string | undefined {
    return this.#logFile?.path;
  }

  open(): Promise<Opened> {
    this.#opened ??= this.#open();
    return this.#opened;
  }

  /** Time without limit, until Ctrl-C. */
  deadline(promise = 'Stopping.'): Deadline {
    return noDeadline(this.stopping.signal(promise));
  }

  /** The result of the command: nothing else goes to standard output. */
  async print(text: string | Uint8Array): Promise<void> {
    this.#progress?.clear();
    await this.io.stdout.write(text);
  }

  /** One line of JSON. */
  async printJson(value: unknown): Promise<void> {
    await this.print(`${JSON.stringify(value)}\n`);
  }

  /** Tells people what is going on; nothing to a program that reads JSON. */
  async note(text: string): Promise<void> {
    if (this.json) return;
    this.#progress?.clear();
    await this.io.stderr.write(`${text}\n`);
  }

  /** Tells of an error that does not end the command. */
  async complain(error: unknown): Promise<void> {
    this.#progress?.clear();
    await this.io.stderr.write(errorLine(error, this.json, this.redactor.redact));
  }

  styled(style: 'bold' | 'red' | 'yellow', text: string): string {
    const { io, global } = this;
    const colours = io.stdout.isTerminal && global.color !== false && !io.env.NO_COLOR;
    return colours ? styleText(style, text, { validateStream: false }) : text;
  }

  /** Shows how these pipelines stand on a terminal while `work` goes on. */
  watching<T>(pipelines: readonly string[], work: () => Promise<T>): Promise<T> {
    const watch = this.#watch;
    return watch ? this.showing(() => linesOf(pipelines, watch), work) : work();
  }

  /** On a terminal, draws these lines over and over while `work` goes on. */
  async showing<T>(linesNow: () => readonly string[], work: () => Promise<T>): Promise<T> {
    if (!showsProgress(this.io, this.global)) return work();
    this.#progress = new ProgressLines(this.io.stderr, linesNow);
    try {
      return await work();
    } finally {
      this.#progress.end();
      this.#progress = undefined;
    }
  }

  async close(): Promise<void> {
    this.stopping.end();
    const opened = await this.#opened?.catch(() => undefined);
    await opened?.deps.connectors.close();
    opened?.backend.close();
    this.#logFile?.close();
  }

  async #open(): Promise<Opened> {
    const settings = this.#settings;
    const files = await loadPipelineFiles(settings.pipelines);
    const pipelines = catalogOf(files);
    const broken = files.flatMap((one) => ('error' in one ? [invalidPipeline(one.file, one.error)] : []));
    const backend = await openBackend(settings, this.io.env, systemClock);
    const meter = newMeter();
    const options = {
      ...{ backend, pipelines, log: this.#log, redactor: this.redactor, clock: systemClock, meter },
      tasks: externalTasks,
    };
    const deps = openRefresh(options);
    return { settings, backend, broken, deps: this.#watch?.watched(deps, backend.tables.partitions) ?? deps };
  }
}

function withOptions(env: Io['env'], { home, pipelines, backend, logLevel }: GlobalOptions): Io['env'] {
  return {
    ...env,
    ...(home ? { LANDFALL_HOME: home } : {}),
    ...(pipelines ? { LANDFALL_PIPELINES: pipelines } : {}),
    ...(backend ? { LANDFALL_BACKEND: backend } : {}),
    ...(logLevel ? { LANDFALL_LOG_LEVEL: logLevel } : {}),
  };
}

/** On a terminal, unless log lines or JSON go to the same one. */
function showsProgress({ stdout, stderr }: Io, { json, logLevel }: GlobalOptions): boolean {
  return stderr.isTerminal && !logLevel && !(json && stdout.isTerminal);
}
