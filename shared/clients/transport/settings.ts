import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, systemClock } from '../../core/clock.ts';
import { type Logger, silentLogger } from '../../core/logger.ts';
import type { Sleep } from './abort.ts';

/** What every client may be given instead of the machine's own. */
export interface SurroundingsOptions {
  readonly userAgent?: string | undefined;
  readonly clock?: Clock | undefined;
  readonly sleep?: Sleep | undefined;
  /** From 0 to below 1, for jitter. */
  readonly random?: (() => number) | undefined;
  /** Is told no secret, token, signed URL or data. Default: says nothing. */
  readonly logger?: Logger | undefined;
}

export interface Surroundings {
  readonly userAgent: string;
  readonly clock: Clock;
  readonly sleep: Sleep;
  readonly random: () => number;
  readonly logger: Logger;
}

export function surroundingsOf(options: SurroundingsOptions): Surroundings {
  return {
    userAgent: options.userAgent ?? 'landfall',
    clock: options.clock ?? systemClock,
    sleep: options.sleep ?? (async (ms, signal) => delay(ms, undefined, { signal })),
    random: options.random ?? Math.random,
    logger: options.logger ?? silentLogger,
  };
}

/** Checks settings, and refuses them by name, with the client's own error. */
export class SettingChecks {
  readonly #refusal: (message: string) => Error;

  constructor(refusal: (message: string) => Error) {
    this.#refusal = refusal;
  }

  atLeast(least: number, name: string, value: number): number {
    if (value >= least) return value;
    throw this.#refusal(`${name} must be at least ${least}, got ${value}`);
  }

  /** At least 1. */
  whole(name: string, value: number): number {
    if (Number.isInteger(value) && value >= 1) return value;
    throw this.#refusal(`${name} must be a whole number of at least 1, got ${value}`);
  }

  choice<T extends string>(name: string, value: T, choices: readonly T[]): T {
    if (choices.includes(value)) return value;
    throw this.#refusal(`${name} must be one of ${choices.join(', ')}, got ${JSON.stringify(value)}`);
  }

  /** Where a service is. What was given is not told: somebody may have put a password into it. */
  url(name: string, text: string): URL {
    const url = URL.parse(text);
    if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:'))
      throw this.#refusal(`${name} must be an absolute URL of http or https`);
    if (url.username || url.password || url.search || url.hash)
      throw this.#refusal(`${name} must have no user, password, query or fragment`);
    return url;
  }
}

export const withoutSlashAtEnd = ({ href }: URL): string => href.replace(/\/+$/, '');
