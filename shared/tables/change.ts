import { InvalidInputError } from '../core/errors.ts';
import type { Change, Item, Value } from './table.ts';

/** A change without the parts that change nothing. No attribute is named twice, and none is a key. */
export interface Edits {
  readonly set: readonly (readonly [attribute: string, value: Value])[];
  readonly remove: readonly string[];
  /** Never empty sets. */
  readonly addToSet: readonly (readonly [attribute: string, members: Set<string>])[];
  readonly increment: readonly (readonly [attribute: string, by: number])[];
}

/** @throws {InvalidInputError} nothing would change, an attribute is named twice, or `pk` or `sk` would change */
export function editsOf(change: Change): Edits {
  const set: [string, Value][] = [];
  const remove = [...(change.remove ?? [])];
  for (const [attribute, value] of Object.entries(change.set ?? {})) {
    if (value === undefined) continue;
    // An empty set is stored nowhere: to set one is to remove what is there.
    if (value instanceof Set && value.size === 0) remove.push(attribute);
    else set.push([attribute, value]);
  }
  const addToSet: [string, Set<string>][] = [];
  for (const [attribute, members] of Object.entries(change.addToSet ?? {})) {
    if (members.length > 0) addToSet.push([attribute, new Set(members)]);
  }
  const edits: Edits = { set, remove, addToSet, increment: Object.entries(change.increment ?? {}) };
  checkNames([...remove, ...[...set, ...addToSet, ...edits.increment].map(([attribute]) => attribute)]);
  return edits;
}

function checkNames(names: readonly string[]): void {
  if (names.length === 0) throw new InvalidInputError('an update must change at least one attribute');
  if (names.includes('pk') || names.includes('sk'))
    throw new InvalidInputError('an update cannot change the key of its item');
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new InvalidInputError(`an update names the attribute ${twice} twice`);
}

/**
 * The item as it is after the edits; `item` itself is left alone.
 *
 * @throws {InvalidInputError} something is to be added to what is not a set, or not a number
 */
export function edited(item: Item, edits: Edits): Item {
  const next: { [attribute: string]: Value | undefined } & Item = { ...item };
  for (const [attribute, value] of edits.set) next[attribute] = value;
  for (const attribute of edits.remove) delete next[attribute];
  for (const [attribute, members] of edits.addToSet) {
    const stored = next[attribute] ?? new Set<string>();
    if (!(stored instanceof Set)) throw new InvalidInputError(`the attribute ${attribute} is not a set`);
    next[attribute] = stored.union(members);
  }
  for (const [attribute, by] of edits.increment) {
    const stored = next[attribute] ?? 0;
    if (typeof stored !== 'number') throw new InvalidInputError(`the attribute ${attribute} is not a number`);
    next[attribute] = stored + by;
  }
  return next;
}
