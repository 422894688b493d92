import type { Column, Schema } from './schema.ts';
import { typeText } from './type-text.ts';
import { isWidening } from './widen.ts';

export type SchemaChange =
  | { readonly kind: 'added' | 'removed'; readonly column: Column }
  | { readonly kind: 'type'; readonly from: Column; readonly to: Column }
  | { readonly kind: 'nullability'; readonly from: Column; readonly to: Column }
  | { readonly kind: 'description'; readonly from: Column; readonly to: Column };

/** What changed, column by column: first those of `from` in its order, then what is new. The order of columns is no change. */
export function schemaChanges(from: Schema, to: Schema): SchemaChange[] {
  const after = new Map(to.columns.map((column) => [column.name, column]));
  const changes: SchemaChange[] = [];
  for (const column of from.columns) {
    const now = after.get(column.name);
    after.delete(column.name);
    if (!now) {
      changes.push({ kind: 'removed', column });
      continue;
    }
    if (typeText(column.type) !== typeText(now.type)) changes.push({ kind: 'type', from: column, to: now });
    if (column.nullable !== now.nullable) changes.push({ kind: 'nullability', from: column, to: now });
    if (column.description !== now.description) changes.push({ kind: 'description', from: column, to: now });
  }
  for (const column of after.values()) changes.push({ kind: 'added', column });
  return changes;
}

/** True if what fitted before fits still: columns added that may be null, types widened, null allowed, words changed. */
export function isCompatible(change: SchemaChange): boolean {
  switch (change.kind) {
    case 'added':
      return change.column.nullable;
    case 'removed':
      return false;
    case 'type':
      return isWidening(change.from.type, change.to.type);
    case 'nullability':
      return change.to.nullable;
    case 'description':
      return true;
  }
}

/** For people: `added "age" int`, `"id": int → long`. */
export function changeText(change: SchemaChange): string {
  if ('column' in change) {
    const { name, type, nullable } = change.column;
    return `${change.kind} ${JSON.stringify(name)} ${typeText(type)}${nullable ? '' : ' not null'}`;
  }
  const name = JSON.stringify(change.to.name);
  if (change.kind === 'type') return `${name}: ${typeText(change.from.type)} → ${typeText(change.to.type)}`;
  if (change.kind === 'nullability')
    return `${name}: ${change.to.nullable ? 'may be null now' : 'may not be null any more'}`;
  return `${name}: its description changed`;
}
