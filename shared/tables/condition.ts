import { InvalidInputError } from '../core/errors.ts';
import type { Clause, Condition, Item } from './table.ts';
import { compareText } from './text-order.ts';

/** Whether the stored item, or its absence, lets a write happen. What DynamoDB decides with a condition expression. */
export function meets(item: Item | undefined, condition: Condition): boolean {
  return condition.every((clause) => holds(item, clause));
}

function holds(item: Item | undefined, clause: Clause): boolean {
  if ('anyOf' in clause) {
    checkAnyOf(clause.anyOf);
    return clause.anyOf.some((one) => holds(item, one));
  }
  const stored = item?.[clause.attribute];
  switch (clause.is) {
    case 'absent':
      return stored === undefined;
    case 'present':
      return stored !== undefined;
    case '=':
      return stored === clause.value;
    default:
      return ordered(stored, clause);
  }
}

function ordered(stored: unknown, { is, value }: { is: '<' | '<=' | '>' | '>='; value: string | number }): boolean {
  // A text compares with no number: the write does not happen, as if the attribute were missing.
  const order = typeof stored === 'number' && typeof value === 'number' ? stored - value : textOrder(stored, value);
  if (order === undefined) return false;
  if (is === '<') return order < 0;
  if (is === '<=') return order <= 0;
  return is === '>' ? order > 0 : order >= 0;
}

function textOrder(stored: unknown, value: unknown): number | undefined {
  return typeof stored === 'string' && typeof value === 'string' ? compareText(stored, value) : undefined;
}

/** @throws {InvalidInputError} a choice of nothing, which no write could meet */
export function checkAnyOf(clauses: readonly Clause[]): void {
  if (clauses.length === 0) throw new InvalidInputError('anyOf needs at least one clause');
}
