import { InvalidInputError } from '../core/errors.ts';
import table from './aws-us-east-1.json' with { type: 'json' };

export type PriceName = keyof typeof table.prices;
export type QuotaName = keyof typeof table.quotas;
export type SpeedName = keyof typeof table.speeds;

/** What requests cost in USD, what an account may do, and how fast things are taken to be. */
export interface Tariff {
  readonly region: string;
  /** The month of which the oldest of its prices and quotas is known, as `2025-07`. */
  readonly asOf: string;
  /** USD for one of its unit. */
  readonly prices: Readonly<Record<PriceName, number>>;
  readonly quotas: Readonly<Record<QuotaName, number>>;
  readonly speeds: Readonly<Record<SpeedName, number>>;
}

/** Every line of the one table there is, with the month of which it is known and the page that has the present one. */
export const TARIFF_TABLE = table;

/**
 * The table as numbers.
 *
 * @param settings values of quotas and speeds that are others, by their names
 * @throws {InvalidInputError} a name that is neither, or a value that is not above 0
 */
export function tariff(settings: Readonly<Record<string, number>> = {}): Tariff {
  const { prices, quotas, speeds, region } = table;
  for (const [name, value] of Object.entries(settings)) {
    if (!Object.hasOwn(quotas, name) && !Object.hasOwn(speeds, name)) {
      const names = [...Object.keys(quotas), ...Object.keys(speeds)];
      throw new InvalidInputError(`there is no quota or speed ${JSON.stringify(name)}; there are ${names.join(', ')}`);
    }
    if (!(value > 0)) throw new InvalidInputError(`${name} must be above 0, got ${value}`);
  }
  const set = <N extends string>(values: Readonly<Record<N, { value: number }>>) =>
    mapped(values, ({ value }, name) => settings[name] ?? value);
  const dates = [...Object.values(prices), ...Object.values(quotas)].map(({ asOf }) => asOf);
  return {
    region,
    asOf: dates.sort()[0]!,
    prices: mapped(prices, ({ usd, per }) => usd / per),
    quotas: set(quotas),
    speeds: set(speeds),
  };
}

const mapped = <N extends string, V>(
  record: Readonly<Record<N, V>>,
  value: (entry: V, name: string) => number,
): Record<N, number> =>
  Object.fromEntries(Object.entries<V>(record).map(([name, entry]) => [name, value(entry, name)])) as Record<N, number>;
