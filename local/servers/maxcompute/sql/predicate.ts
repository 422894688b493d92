import { badRequest } from '../errors.ts';
import { Scanner } from './scanner.ts';

export type Comparison = '=' | '!=' | '<' | '<=' | '>' | '>=';

export interface Literal {
  readonly kind: 'text' | 'number' | 'boolean' | 'null';
  readonly text: string;
}

export type Predicate =
  | { readonly op: 'and' | 'or'; readonly parts: readonly Predicate[] }
  | { readonly op: 'not'; readonly part: Predicate }
  | { readonly op: 'compare'; readonly column: string; readonly by: Comparison; readonly literal: Literal }
  | { readonly op: 'null'; readonly column: string }
  | { readonly op: 'in'; readonly column: string; readonly literals: readonly Literal[] };

/**
 * A condition of the simple kind: column and literal compared, `IS [NOT] NULL`, `[NOT] IN (…)`, joined by AND, OR, NOT and
 * parentheses.
 *
 * @throws {ServiceError} InvalidArgument for anything else
 */
export function parsePredicate(text: string): Predicate {
  try {
    const scanner = new Scanner(text);
    const predicate = any(scanner);
    scanner.end();
    return predicate;
  } catch (cause) {
    throw badRequest(`the filter predicate is not understood: ${cause instanceof Error ? cause.message : cause}`);
  }
}

/** As part of a statement, after `WHERE`. */
export function any(scanner: Scanner): Predicate {
  const parts = [all(scanner)];
  while (scanner.word('or')) parts.push(all(scanner));
  return parts.length === 1 ? parts[0]! : { op: 'or', parts };
}

function all(scanner: Scanner): Predicate {
  const parts = [one(scanner)];
  while (scanner.word('and')) parts.push(one(scanner));
  return parts.length === 1 ? parts[0]! : { op: 'and', parts };
}

const FLIPPED: Readonly<Record<Comparison, Comparison>> = {
  '=': '=',
  '!=': '!=',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
};

function one(scanner: Scanner): Predicate {
  if (scanner.word('not')) return { op: 'not', part: scanner.within(() => one(scanner)) };
  if (scanner.mark('(')) {
    const inner = scanner.within(() => any(scanner));
    scanner.expectMark(')');
    return inner;
  }
  const first = literal(scanner);
  if (first) {
    const by = comparison(scanner) ?? scanner.fail('a comparison');
    return { op: 'compare', column: scanner.name(), by: FLIPPED[by], literal: first };
  }
  const column = scanner.name();
  if (scanner.word('is')) {
    const isNot = scanner.word('not');
    scanner.expectWord('null');
    return isNot ? { op: 'not', part: { op: 'null', column } } : { op: 'null', column };
  }
  const isNot = scanner.word('not');
  if (scanner.word('in')) {
    const list: Predicate = {
      op: 'in',
      column,
      literals: scanner.list(() => literal(scanner) ?? scanner.fail('a literal')),
    };
    return isNot ? { op: 'not', part: list } : list;
  }
  const by = isNot ? undefined : comparison(scanner);
  if (!by) return scanner.fail('a comparison, IS NULL or IN');
  return { op: 'compare', column, by, literal: literal(scanner) ?? scanner.fail('a literal') };
}

function comparison(scanner: Scanner): Comparison | undefined {
  for (const by of ['<=', '>=', '<>', '!=', '==', '=', '<', '>'] as const) {
    if (!scanner.mark(by)) continue;
    if (by === '<>') return '!=';
    return by === '==' ? '=' : by;
  }
  return undefined;
}

function literal(scanner: Scanner): Literal | undefined {
  const number = scanner.number();
  if (number !== undefined) return { kind: 'number', text: number };
  for (const word of ['true', 'false']) if (scanner.word(word)) return { kind: 'boolean', text: word };
  if (scanner.word('null')) return { kind: 'null', text: 'null' };
  const text = scanner.text() ?? typedText(scanner);
  return text === undefined ? undefined : { kind: 'text', text };
}

/** `DATE '2025-11-20'`: the word says no more than the column's own type does. */
function typedText(scanner: Scanner): string | undefined {
  for (const word of ['date', 'datetime', 'timestamp_ntz', 'timestamp']) {
    if (!scanner.word(word)) continue;
    // A column may have that name.
    const text = scanner.text();
    if (text !== undefined) return text;
    return scanner.fail(`a text after ${word}; a column of that name goes in backticks`);
  }
  return undefined;
}
