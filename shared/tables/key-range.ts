import type { AttributeMap } from './attribute-value.ts';
import type { KeyRange } from './table.ts';
import { compareText } from './text-order.ts';

export interface KeyRangeExpression {
  readonly KeyConditionExpression: string;
  readonly ExpressionAttributeNames: Record<string, string>;
  readonly ExpressionAttributeValues: AttributeMap;
}

/**
 * The range of a query as DynamoDB takes it: one comparison of the sort key at most, and `BETWEEN` includes both ends.
 * So where a range has two ends, the item at `to` may come back too.
 *
 * @returns undefined if no sort key can be in the range; DynamoDB refuses one that ends before it begins
 */
export function keyRangeExpression(pk: string, { from = '', to }: KeyRange): KeyRangeExpression | undefined {
  if (to !== undefined && compareText(from, to) >= 0) return undefined;
  const comparison = comparisonOf(from, to);
  return {
    KeyConditionExpression: comparison ? `#pk = :pk AND ${comparison}` : '#pk = :pk',
    ExpressionAttributeNames: { '#pk': 'pk', ...(comparison && { '#sk': 'sk' }) },
    ExpressionAttributeValues: {
      ':pk': { S: pk },
      ...(from !== '' && { ':from': { S: from } }),
      ...(to !== undefined && { ':to': { S: to } }),
    },
  };
}

function comparisonOf(from: string, to: string | undefined): string | undefined {
  if (from !== '' && to !== undefined) return '#sk BETWEEN :from AND :to';
  if (to !== undefined) return '#sk < :to';
  // Every sort key is above the empty one, which DynamoDB does not take as a value.
  return from === '' ? undefined : '#sk >= :from';
}
