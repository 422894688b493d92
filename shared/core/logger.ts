import type { Clock } from './clock.ts';
import { errorFacts } from './errors.ts';
import type { Redactor } from './redaction.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
const ORDER: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

export interface Logger {
  debug(message: string, facts?: Facts): void;
  info(message: string, facts?: Facts): void;
  warn(message: string, facts?: Facts): void;
  error(message: string, facts?: Facts): void;
  /** The same logger, with these facts on every line. */
  with(facts: Facts): Logger;
}

export type Facts = Readonly<Record<string, unknown>>;

export interface LoggerOptions {
  readonly clock: Clock;
  readonly redactor: Redactor;
  readonly level?: LogLevel;
  /** Gets one line, without its end. Default: standard output, which is what Lambda collects. */
  readonly write?: (line: string) => void;
}

/** One JSON object a line: time, level, message, then the facts. Everything passes the redactor. */
export function jsonLogger(options: LoggerOptions, fixed: Facts = {}): Logger {
  const { clock, redactor, level = 'info', write = (line: string) => void process.stdout.write(`${line}\n`) } = options;
  const log =
    (at: LogLevel) =>
    (message: string, facts: Facts = {}) => {
      if (ORDER.indexOf(at) < ORDER.indexOf(level)) return;
      const line = JSON.stringify(
        { time: clock().toISOString(), level: at, message, ...fixed, ...facts },
        (_key, value) =>
          value instanceof Error ? errorFacts(value) : typeof value === 'bigint' ? String(value) : value,
      );
      write(redactor.redact(line));
    };
  return {
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    with: (facts) => jsonLogger(options, { ...fixed, ...facts }),
  };
}

export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  with: () => silentLogger,
};
