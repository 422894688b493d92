import { InvalidInputError } from '../../../shared/core/errors.ts';
import { isObject } from '../../../shared/core/json.ts';

/** Which of the requests that match a rule it strikes. */
export interface Striking {
  /** Counted from 1 among the requests that match; default 1. */
  readonly nth?: number;
  /** How many matching requests in a row, default 1. */
  readonly times?: number;
  /** Of those, the share that is struck; default 1. */
  readonly probability?: number;
}

/** The rules in force, and how often each has matched. */
export class StruckBy<Rule extends Striking, Target> {
  readonly random: () => number;
  readonly #matches: (rule: Rule, target: Target) => boolean;
  #rules: { readonly rule: Rule; matched: number }[] = [];

  constructor(rules: readonly Rule[], random: () => number, matches: (rule: Rule, target: Target) => boolean) {
    this.random = random;
    this.#matches = matches;
    this.add(...rules);
  }

  add(...rules: readonly Rule[]): void {
    for (const rule of rules) this.#rules.push({ rule, matched: 0 });
  }

  clear(): void {
    this.#rules = [];
  }

  some(is: (rule: Rule) => boolean): boolean {
    return this.#rules.some(({ rule }) => is(rule));
  }

  /** Every rule counts the request, whether or not another one strikes it too. */
  strike(target: Target): Rule[] {
    return this.#rules
      .filter((entry) => {
        if (!this.#matches(entry.rule, target)) return false;
        entry.matched += 1;
        const { nth = 1, times = 1, probability = 1 } = entry.rule;
        return entry.matched >= nth && entry.matched < nth + times && this.random() < probability;
      })
      .map(({ rule }) => rule);
  }
}

type RuleObject = Readonly<Record<string, unknown>>;

/** What a server's rules may say. */
export interface FaultGrammar {
  /** The member that names what is struck, and all it may name. */
  readonly place: 'route' | 'action';
  readonly places: readonly string[];
  /** Faults by name: what each takes, and where it makes sense if not everywhere. */
  readonly faults: Readonly<Record<string, { readonly takes: readonly string[]; readonly at?: readonly string[] }>>;
  /** Members that every rule may have, beside the place and when it strikes. */
  readonly selectors: readonly string[];
  /** The least and the largest of numbers that only this server knows. */
  readonly ranges?: Readonly<Record<string, readonly [number, number]>>;
  /** What else is wrong with a member. @returns undefined if nothing is */
  readonly complain?: (member: string, given: unknown) => string | undefined;
}

const RANGES: NonNullable<FaultGrammar['ranges']> = {
  nth: [1, 1e9],
  times: [1, 1e9],
  probability: [0, 1],
  status: [200, 599],
  milliseconds: [0, 3_600_000],
  afterBytes: [0, 1e12],
};

/**
 * Reads a faults file: `{ "faults": [rule, …] }`, or the array alone.
 *
 * @throws {InvalidInputError} naming every rule that is wrong, and how
 */
export function parseRules<Rule>(value: unknown, grammar: FaultGrammar): Rule[] {
  const list = isObject(value) ? value.faults : value;
  if (!Array.isArray(list))
    throw new InvalidInputError('faults must be an array, or an object that has one as "faults"');
  const complaints = list.flatMap((rule: unknown, index) =>
    [...complaintsAbout(rule, grammar)].map((complaint) => `faults[${index}]: ${complaint}`),
  );
  if (complaints.length > 0) throw new InvalidInputError(complaints.join('; '));
  return list as Rule[];
}

function* complaintsAbout(rule: unknown, grammar: FaultGrammar): Generator<string> {
  if (!isObject(rule)) return yield 'must be an object';
  const { place, places, faults, selectors } = grammar;
  const { fault } = rule as RuleObject;
  if (typeof fault !== 'string' || !Object.hasOwn(faults, fault))
    return yield `unknown fault ${JSON.stringify(fault)}; known are ${Object.keys(faults).join(', ')}`;
  const { takes, at = places } = faults[fault]!;
  if (!(at as readonly unknown[]).includes(rule[place]))
    yield `${place} must be ${at.join(', ')} for ${fault}, got ${JSON.stringify(rule[place])}`;
  const known = [place, 'fault', 'nth', 'times', 'probability', ...selectors, ...takes];
  for (const [member, given] of Object.entries(rule)) {
    const complaint = known.includes(member) ? aboutMember(member, given, grammar) : `${fault} takes no ${member}`;
    if (complaint) yield complaint;
  }
}

function aboutMember(member: string, given: unknown, { ranges, complain }: FaultGrammar): string | undefined {
  const range = ranges?.[member] ?? RANGES[member];
  if (range && !(typeof given === 'number' && given >= range[0] && given <= range[1]))
    return `${member} must be ${range[0]} to ${range[1]}, got ${JSON.stringify(given)}`;
  if (member === 'headers' && !(isObject(given) && Object.values(given).every((value) => typeof value === 'string')))
    return 'headers must be an object of strings';
  return complain?.(member, given);
}
