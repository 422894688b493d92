import { systemClock } from '../../../shared/core/clock.ts';
import { isObject } from '../../../shared/core/json.ts';
import { jsonLogger, type Logger } from '../../../shared/core/logger.ts';
import { LogFile } from '../../log-file.ts';
import type { Session } from '../../session.ts';
import { oneLine } from '../../text.ts';
import type { DapOptions } from './options.ts';

export interface DapLog {
  readonly logger: Logger;
  /** Log lines and progress cannot share a terminal. */
  readonly isOnConsole: boolean;
  close(): void;
}

/** Where the vendor's options say, or, without any of them, where Landfall logs. */
export function openDapLog(session: Session, { loglevel, logfile, logformat, logToConsole }: DapOptions): DapLog {
  if (!loglevel && !logfile && !logformat) {
    return { logger: session.log, isOnConsole: session.logPath === undefined, close: () => {} };
  }
  const file = logfile === undefined ? undefined : new LogFile(logfile);
  const logger = jsonLogger({
    clock: systemClock,
    redactor: session.redactor,
    level: loglevel === 'warning' ? 'warn' : (loglevel ?? 'info'),
    write: (json) => {
      const line = logformat === 'json' ? json : plainLine(json);
      file?.write(line);
      if (logToConsole) void session.io.stderr.write(`${line}\n`);
    },
  });
  return { logger, isOnConsole: logToConsole, close: () => file?.close() };
}

/** `2026-01-05T00:00:00.000Z - WARN - message table=users …` */
function plainLine(json: string): string {
  const { time, level, message, ...facts } = JSON.parse(json) as Record<string, unknown>;
  const shown = Object.entries(facts).map(([name, value]) => ` ${name}=${factText(value)}`);
  return oneLine(`${time} - ${String(level).toUpperCase()} - ${message}${shown.join('')}`);
}

function factText(value: unknown): string {
  if (isObject(value) && typeof value.message === 'string') return JSON.stringify(value.message);
  return typeof value === 'string' && /^\S+$/.test(value) ? value : JSON.stringify(value);
}
