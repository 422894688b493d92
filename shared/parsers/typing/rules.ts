import { InvalidInputError } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import { checkOptions, type OptionSpec } from '../../core/options.ts';
import { type TypeJson, typeFromJson } from '../../records/type-text.ts';
import { checkPattern } from './patterns.ts';

/** How one column is read. Named by `targetName`, or by `sourceName` if the name stays. */
export interface ColumnRule {
  readonly sourceName?: string;
  readonly targetName?: string;
  /** Instead of the schema's or the inferred type. */
  readonly type?: TypeJson;
  readonly nullIsInvalid?: boolean;
  /** A value in place of one that is none of the type; or the record is dropped; or the parse fails. Default: see `onMismatch`. */
  readonly onInvalid?: { readonly default: JsonValue } | 'skip' | 'fail';
  /** No warning where `onInvalid` acts. */
  readonly suppressWarn?: boolean;
  /** White space at both ends is taken off. */
  readonly trim?: boolean;
  readonly thousandsSeparator?: string;
  /** Default `.`, or `,` where thousands have the point. */
  readonly decimalSeparator?: string;
  /**
   * Of dates and timestamps: `yyyy-MM-dd HH:mm:ss` and the like (y M d H h m s S a X, text in `'…'`), or `epochSeconds`,
   * `epochMillis`, `epochMicros`. Default ISO 8601.
   */
  readonly format?: string;
  /** An IANA zone in which values without one are read. Default UTC. */
  readonly timezone?: string;
  readonly trueValues?: readonly string[];
  readonly falseValues?: readonly string[];
  /** Texts that mean null. */
  readonly nullValues?: readonly string[];
}

const RULE_SPEC = {
  sourceName: { kind: 'string', min: 1 },
  targetName: { kind: 'string', min: 1 },
  type: { kind: ['string', 'object'] },
  nullIsInvalid: { kind: 'boolean' },
  onInvalid: { kind: ['string', 'object'] },
  suppressWarn: { kind: 'boolean' },
  trim: { kind: 'boolean' },
  thousandsSeparator: { kind: 'string', min: 1, max: 1 },
  decimalSeparator: { kind: 'string', min: 1, max: 1 },
  format: { kind: 'string', min: 1 },
  timezone: { kind: 'string', min: 1 },
  trueValues: { kind: 'array', of: 'string' },
  falseValues: { kind: 'array', of: 'string' },
  nullValues: { kind: 'array', of: 'string' },
} as const satisfies Record<keyof ColumnRule, OptionSpec>;

export const targetOf = (rule: ColumnRule): string => (rule.targetName ?? rule.sourceName)!;
export const sourceOf = (rule: ColumnRule): string => (rule.sourceName ?? rule.targetName)!;

/** @throws {InvalidInputError} a rule that is none, names no column, or two for one column */
export function checkRules(label: string, rules: readonly ColumnRule[]): readonly ColumnRule[] {
  const targets = new Set<string>();
  return rules.map((given, index) => {
    const at = `${label}: "columns"[${index}]`;
    const rule = checkOptions<ColumnRule, typeof RULE_SPEC>(at, given, RULE_SPEC) as ColumnRule;
    if (rule.sourceName === undefined && rule.targetName === undefined)
      throw new InvalidInputError(`${at} needs a "sourceName" or a "targetName"`);
    if (targets.has(targetOf(rule)))
      throw new InvalidInputError(`${at}: there are two rules for ${JSON.stringify(targetOf(rule))}`);
    targets.add(targetOf(rule));
    if (rule.type !== undefined) typeFromJson(rule.type, `${at}.type`);
    const { onInvalid } = rule;
    const isDefault = typeof onInvalid === 'object' && Object.keys(onInvalid).join() === 'default';
    if (onInvalid !== undefined && onInvalid !== 'skip' && onInvalid !== 'fail' && !isDefault)
      throw new InvalidInputError(`${at}: "onInvalid" must be "skip", "fail" or { "default": … }`);
    if (rule.format !== undefined) checkPattern(rule.format, at);
    if (rule.timezone !== undefined) checkZone(rule.timezone, at);
    return rule;
  });
}

function checkZone(timeZone: string, at: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
  } catch {
    throw new InvalidInputError(`${at}: "timezone" must be an IANA zone such as "Europe/Berlin", got "${timeZone}"`);
  }
}
