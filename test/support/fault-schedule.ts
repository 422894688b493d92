import type { FaultGrammar, Striking } from '../../local/servers/common/faults.ts';
import { seeded } from './seeded.ts';

type Random = () => number;

/** What a server's faults may be drawn from. */
export interface Drawing extends Pick<FaultGrammar, 'place' | 'places' | 'faults'> {
  /** Values of members, beside those that every server has. A member that nothing is drawn for is left out. */
  readonly members?: Readonly<Record<string, (random: Random) => unknown>>;
  /** Members that a fault cannot do without here. */
  readonly always?: readonly string[];
  /** Faults that no client can do anything about, each with the reason in a comment where it is named. */
  readonly except?: readonly string[];
}

export const oneOf = <T>(random: Random, all: readonly T[]): T => all[Math.floor(random() * all.length)]!;

const MEMBERS: NonNullable<Drawing['members']> = {
  // Whoever answers 200 with whatever it likes is no service that fails, but one that lies.
  status: (random) => oneOf(random, [400, 401, 403, 404, 409, 429, 500, 502, 503, 504]),
  message: (random) => oneOf(random, ['', 'it did not work', 'ünüsual "text"\n']),
  body: (random) => oneOf<unknown>(random, ['', '<html>', '{', {}, [], { error: { type: 'Strange' } }]),
  retryAfter: (random) => oneOf<string | number>(random, [0, 1, 30, 'soon']),
  milliseconds: (random) => Math.floor(random() * 10),
  afterBytes: (random) => Math.floor(random() * 200),
};

/**
 * Rules drawn at random from all faults of a server, so that each strikes a few of the next requests: at places that take it,
 * with its members or without.
 */
export function drawnRules<Rule extends Striking>(count: number, random: Random, drawing: Drawing): Rule[] {
  const { place, places, faults, members = {}, always = [], except = [] } = drawing;
  const placesOf = (name: string) => (faults[name]!.at ?? places).filter((one) => places.includes(one));
  const names = Object.keys(faults).filter((name) => !except.includes(name) && placesOf(name).length > 0);
  return Array.from({ length: count }, () => {
    const fault = oneOf(random, names);
    const rule: Record<string, unknown> = { fault, [place]: oneOf(random, placesOf(fault)) };
    for (const member of faults[fault]!.takes) {
      const draw = members[member] ?? MEMBERS[member];
      if (draw && (always.includes(`${fault}.${member}`) || random() < 0.5)) rule[member] = draw(random);
    }
    const striking = { nth: 1 + Math.floor(random() * 5), times: 1 + Math.floor(random() * 3) };
    return { ...rule, ...striking, ...(random() < 0.3 ? { probability: 0.5 } : {}) } as unknown as Rule;
  });
}

/**
 * The seeds of a run: a few that stay. `LANDFALL_FAULTS_SEED=5 npm run test:faults` takes that one alone, which the test's name
 * shows, `LANDFALL_FAULTS_SEEDS=500` so many fresh ones.
 */
export function faultSeeds(fixed: readonly number[]): number[] {
  const { LANDFALL_FAULTS_SEED: only, LANDFALL_FAULTS_SEEDS: count } = process.env;
  if (only !== undefined) return [Number(only)];
  if (count === undefined) return [...fixed];
  const first = Date.now() % 1_000_000_000;
  return Array.from({ length: Number(count) }, (_, at) => first + at);
}

export const randomOf = (seed: number): Random => seeded(seed);
