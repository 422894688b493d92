import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { Io, Output } from '../../cli/io.ts';
import { main } from '../../cli/main.ts';
import { leaksIn, secretsIn } from './canary.ts';

export interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly bytes: Buffer;
  /** What was printed as one JSON object a line. */
  readonly json: () => Record<string, unknown>[];
}

export interface Seat {
  readonly isTerminal?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** Called once the command listens for Ctrl-C, with what presses it. */
  readonly whenListening?: (press: () => void) => void;
  /** Gets what is printed, as it is. */
  readonly onOut?: (text: string) => void;
  /** Gets the code of a command that ends its process at once. */
  readonly onExit?: (code: number) => void;
}

/** Variables that hold a secret: a credential of a pipeline, or of a service. */
const SECRET_NAME = /^LANDFALL_SECRET_|_(SECRET|SECRET_KEY|ACCESS_KEY_SECRET|TOKEN|PASSWORD)$/;

/** A folder with pipelines, their sources and a home, and the command at work in it. */
export class Workplace {
  readonly folder: string;
  /** What commands were given of secrets, which nothing may show. */
  readonly #secrets = new Set<string>();

  constructor() {
    const folder = mkdtempSync(join(tmpdir(), 'landfall-cli-'));
    this.folder = folder;
    mkdirSync(join(folder, 'pipelines'));
    onTestFinished(() => {
      const leaks = this.#leaks();
      rmSync(folder, { recursive: true, force: true });
      expect(leaks).toEqual([]);
    });
  }

  /** What of secrets is in the home, its logs and database included: all but what landed, and pipelines, which tests write. */
  #leaks(): string[] {
    const files = globSync('home/**', { cwd: this.folder }).filter((file) => statSync(this.path(file)).isFile());
    return files
      .filter((file) => !file.includes('/data/') && !file.includes('/secrets/'))
      .flatMap((file) =>
        leaksIn(readFileSync(this.path(file), 'latin1'), [...this.#secrets]).map((leak) => `${file}: ${leak}`),
      );
  }

  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  /** A pipeline over the files of a folder of its own name, with these files in it. */
  files(name: string, files: Readonly<Record<string, string | Uint8Array>>, options = ''): void {
    mkdirSync(this.path(name), { recursive: true });
    for (const [file, text] of Object.entries(files)) this.write(name, file, text);
    this.pipeline(name, `files({ folder: ${JSON.stringify(this.path(name))} })`, options);
  }

  write(pipeline: string, file: string, text: string | Uint8Array): void {
    mkdirSync(join(this.path(pipeline, file), '..'), { recursive: true });
    writeFileSync(this.path(pipeline, file), text);
  }

  remove(pipeline: string, file: string): void {
    rmSync(this.path(pipeline, file));
  }

  /** @param source an expression of files(…) or code(…) */
  pipeline(name: string, source: string, options = ''): void {
    const shared = new URL('../../shared/', import.meta.url).href;
    this.file(
      `${name}.mjs`,
      `import { existsSync } from 'node:fs';
       import { code } from '${shared}connectors/code/code.ts';
       import { files } from '${shared}connectors/files/files.ts';
       import { definePipeline, secret } from '${shared}pipelines/define.ts';
       const here = (name) => existsSync(${JSON.stringify(this.folder)} + '/' + name);
       const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
       export default definePipeline({ name: '${name}', source: ${source}, ${options} });`,
    );
  }

  file(name: string, text: string): void {
    writeFileSync(this.path('pipelines', name), text);
  }

  /** The arguments that make the command work here. */
  get arguments(): string[] {
    return ['--home', this.path('home'), '--pipelines', this.path('pipelines')];
  }

  async landfall(command: string | readonly string[], seat: Seat = {}): Promise<Result> {
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    const listeners = new Set<() => void>();
    const output = (into: Buffer[]): Output => ({
      isTerminal: seat.isTerminal ?? false,
      columns: 200,
      write: async (chunk) => {
        into.push(Buffer.from(chunk));
        if (into === out) seat.onOut?.(String(chunk));
      },
    });
    const io: Io = {
      env: { ...seat.env },
      stdout: output(out),
      stderr: output(err),
      onInterrupt(listener) {
        listeners.add(listener);
        seat.whenListening?.(() => {
          for (const each of listeners) each();
        });
        return () => listeners.delete(listener);
      },
      exit: (exitCode) => seat.onExit?.(exitCode),
    };
    for (const [name, value] of Object.entries(seat.env ?? {})) {
      if (SECRET_NAME.test(name)) for (const secret of secretsIn(value)) this.#secrets.add(secret);
    }
    const words = typeof command === 'string' ? command.split(' ') : command;
    const code = await main([...words, ...this.arguments], io);
    const bytes = Buffer.concat(out);
    const text = bytes.toString();
    const said = Buffer.concat(err).toString();
    expect(leaksIn(`${text}\n${said}`, [...this.#secrets])).toEqual([]);
    return {
      code,
      out: text,
      err: said,
      bytes,
      json: () =>
        text
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as Record<string, unknown>),
    };
  }
}
