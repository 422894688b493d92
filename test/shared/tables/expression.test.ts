import { describe, expect, it } from 'vitest';
import { editsOf } from '../../../shared/tables/change.ts';
import { writeExpression } from '../../../shared/tables/expression.ts';
import { keyRangeExpression } from '../../../shared/tables/key-range.ts';
import { absent, anyOf, atMost, equals, present } from '../../../shared/tables/table.ts';

describe('writeExpression', () => {
  it('is empty without a condition or edits, as DynamoDB refuses empty lists', () => {
    expect(writeExpression(undefined)).toStrictEqual({});
    expect(writeExpression([])).toStrictEqual({});
  });

  it('gives every name one alias and every value its own', () => {
    const change = {
      set: { state: 'SENT' },
      remove: ['error'],
      addToSet: { done: ['g1', 'g1'] },
      increment: { builds: 1 },
    };

    expect(writeExpression([equals('state', 'PLANNED'), atMost('builds', 4)], editsOf(change))).toStrictEqual({
      UpdateExpression: 'SET #0 = :0 REMOVE #1 ADD #2 :1, #3 :2',
      ConditionExpression: '#0 = :3 AND #3 <= :4',
      ExpressionAttributeNames: { '#0': 'state', '#1': 'error', '#2': 'done', '#3': 'builds' },
      ExpressionAttributeValues: {
        ':0': { S: 'SENT' },
        ':1': { SS: ['g1'] },
        ':2': { N: '1' },
        ':3': { S: 'PLANNED' },
        ':4': { N: '4' },
      },
    });
  });

  it('puts choices in brackets', () => {
    expect(writeExpression([anyOf(absent('lease'), equals('open', true)), present('pk')])).toStrictEqual({
      ConditionExpression: '(attribute_not_exists(#0) OR #1 = :0) AND attribute_exists(#2)',
      ExpressionAttributeNames: { '#0': 'lease', '#1': 'open', '#2': 'pk' },
      ExpressionAttributeValues: { ':0': { BOOL: true } },
    });
  });
});

describe('keyRangeExpression', () => {
  it.each([
    [{}, '#pk = :pk'],
    [{ from: '' }, '#pk = :pk'],
    [{ from: 'a' }, '#pk = :pk AND #sk >= :from'],
    [{ to: 'b' }, '#pk = :pk AND #sk < :to'],
    [{ from: 'a', to: 'b' }, '#pk = :pk AND #sk BETWEEN :from AND :to'],
    [{ from: '\uffee', to: '😀' }, '#pk = :pk AND #sk BETWEEN :from AND :to'],
    [{ from: 'b', to: 'b' }, undefined],
    [{ from: '😀', to: '\uffee' }, undefined],
    [{ to: '' }, undefined],
  ])('of %j is %s', (range, expected) => {
    expect(keyRangeExpression('p', range)?.KeyConditionExpression).toBe(expected);
  });
});
