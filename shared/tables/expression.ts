import { type AttributeMap, toAttributeValue } from './attribute-value.ts';
import type { Edits } from './change.ts';
import { checkAnyOf } from './condition.ts';
import type { Clause, Condition, Value } from './table.ts';

/** The parameters of a DynamoDB request that say what is written, and when. */
export interface WriteExpression {
  readonly UpdateExpression?: string;
  readonly ConditionExpression?: string;
  readonly ExpressionAttributeNames?: Record<string, string>;
  readonly ExpressionAttributeValues?: AttributeMap;
}

/**
 * Every name and value goes in under an alias (`#0`, `:0`): hundreds of plain words, `state` and `count` among them,
 * are reserved.
 */
export function writeExpression(condition: Condition | undefined, edits?: Edits): WriteExpression {
  const aliases = new Aliases();
  const update = edits && updateOf(edits, aliases);
  const only = condition && condition.length > 0 ? allOf(condition, aliases) : undefined;
  return {
    ...(update && { UpdateExpression: update }),
    ...(only && { ConditionExpression: only }),
    ...aliases.parameters(),
  };
}

/** DynamoDB refuses lists of names or values that are empty, or of which one is not used. */
class Aliases {
  readonly #names = new Map<string, string>();
  readonly #values: AttributeMap = {};
  #valueCount = 0;

  name(attribute: string): string {
    const alias = this.#names.get(attribute) ?? `#${this.#names.size}`;
    this.#names.set(attribute, alias);
    return alias;
  }

  value(value: Value): string {
    const alias = `:${this.#valueCount++}`;
    this.#values[alias] = toAttributeValue(value);
    return alias;
  }

  parameters(): WriteExpression {
    const names = [...this.#names].map(([attribute, alias]) => [alias, attribute]);
    return {
      ...(names.length > 0 && { ExpressionAttributeNames: Object.fromEntries(names) }),
      ...(this.#valueCount > 0 && { ExpressionAttributeValues: this.#values }),
    };
  }
}

function updateOf({ set, remove, addToSet, increment }: Edits, aliases: Aliases): string {
  const sections = [
    section('SET', set, ([attribute, value]) => `${aliases.name(attribute)} = ${aliases.value(value)}`),
    section('REMOVE', remove, (attribute) => aliases.name(attribute)),
    // ADD both counts up and unites sets, and makes what is missing.
    section<readonly [string, number | Set<string>]>('ADD', [...addToSet, ...increment], ([attribute, by]) => {
      return `${aliases.name(attribute)} ${aliases.value(by)}`;
    }),
  ];
  return sections.filter(Boolean).join(' ');
}

function section<T>(keyword: string, parts: readonly T[], write: (part: T) => string): string {
  return parts.length === 0 ? '' : `${keyword} ${parts.map(write).join(', ')}`;
}

function allOf(clauses: readonly Clause[], aliases: Aliases): string {
  return clauses.map((clause) => clauseOf(clause, aliases)).join(' AND ');
}

function clauseOf(clause: Clause, aliases: Aliases): string {
  if ('anyOf' in clause) {
    checkAnyOf(clause.anyOf);
    return `(${clause.anyOf.map((one) => clauseOf(one, aliases)).join(' OR ')})`;
  }
  const name = aliases.name(clause.attribute);
  if (!('value' in clause)) return `${clause.is === 'absent' ? 'attribute_not_exists' : 'attribute_exists'}(${name})`;
  return `${name} ${clause.is} ${aliases.value(clause.value)}`;
}
