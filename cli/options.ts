import { InvalidArgumentError, Option } from 'commander';

/** Taken by every command, before or after its name. */
export interface GlobalOptions {
  readonly home?: string;
  readonly pipelines?: string;
  readonly backend?: string;
  readonly logLevel?: string;
  readonly json?: boolean;
  readonly color?: boolean;
}

export const globalOptions = (): Option[] => [
  new Option('--home <folder>', 'where the embedded backend keeps everything (LANDFALL_HOME, default .landfall)'),
  new Option('--pipelines <folder>', 'where the pipelines are (LANDFALL_PIPELINES, default pipelines)'),
  new Option('--backend <kind>', 'where state, messages and bytes are kept (LANDFALL_BACKEND)').choices([
    'embedded',
    'aws',
  ]),
  new Option('--log-level <level>', 'log to standard error from this level on, not to a file').choices([
    'debug',
    'info',
    'warn',
    'error',
  ]),
  new Option('--json', 'print JSON: one object, or one a line'),
  new Option('--no-color', 'print no colours (also NO_COLOR)'),
];

/** A whole number of at least `min`. */
export const wholeNumber =
  (min: number, max = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(
      max === Number.MAX_SAFE_INTEGER
        ? `It must be a whole number of at least ${min}.`
        : `It must be ${min} to ${max}.`,
    );
  };

const DURATION = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** `900`, `90s`, `15m`, `2h`; without a unit in seconds. @returns milliseconds */
export function duration(text: string): number {
  const [, count, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const value = Number(count) * DURATION[unit as keyof typeof DURATION];
  if (value > 0) return value;
  throw new InvalidArgumentError('It must be a time such as 90s, 15m or 2h.');
}

const SIZE = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 } as const;

/** `500`, `4K`, `4KiB`, `1M`. @returns bytes */
export function byteCount(text: string): number {
  const [, count, unit = ''] = /^(\d+)\s*(?:([KMG])(?:i?B)?|B)?$/i.exec(text) ?? [];
  const value = Number(count) * SIZE[unit.toUpperCase() as keyof typeof SIZE];
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('It must be a size such as 500, 4K or 1M.');
}

export const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

/** Gathers `name=value` into a record. */
export function pairs(text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be name=value.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}
