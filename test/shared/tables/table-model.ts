import fc from 'fast-check';
import { expect } from 'vitest';
import type { Change, Clause, Condition, Item, Key, KeyRange, Table, Value } from '../../../shared/tables/table.ts';

/** What a table must do, as plainly as it can be said: no limits, no batches, no I/O. */
export class TableModel {
  readonly #items = new Map<string, Item>();

  get({ pk, sk }: Key): Item | undefined {
    return this.#items.get(JSON.stringify([pk, sk]));
  }

  query(pk: string, { from = '', to, reverse, limit }: KeyRange): Item[] {
    const found = [...this.#items.values()]
      .filter((item) => item.pk === pk && order(item.sk, from) >= 0 && (to === undefined || order(item.sk, to) < 0))
      .sort((a, b) => order(a.sk, b.sk));
    if (reverse) found.reverse();
    return found.slice(0, limit);
  }

  put(item: Item, condition: Condition): boolean {
    if (!this.#meets(item, condition)) return false;
    this.#items.set(JSON.stringify([item.pk, item.sk]), withoutNothing(item));
    return true;
  }

  update(key: Key, change: Change, condition: Condition): Item | undefined {
    if (!this.#meets(key, condition)) return undefined;
    const next: Record<string, Value | undefined> = { ...this.get(key), ...withoutUndefined(change.set ?? {}) };
    for (const name of change.remove ?? []) delete next[name];
    for (const [name, by] of Object.entries(change.increment ?? {})) next[name] = ((next[name] as number) ?? 0) + by;
    for (const [name, members] of Object.entries(change.addToSet ?? {})) {
      next[name] = new Set([...((next[name] as Set<string>) ?? []), ...members]);
    }
    this.#items.set(JSON.stringify([key.pk, key.sk]), withoutNothing({ ...next, pk: key.pk, sk: key.sk }));
    return this.get(key);
  }

  delete(key: Key, condition: Condition): boolean {
    if (!this.#meets(key, condition)) return false;
    this.#items.delete(JSON.stringify([key.pk, key.sk]));
    return true;
  }

  #meets(key: Key, condition: Condition): boolean {
    return condition.every((clause) => holds(this.get(key) ?? {}, clause));
  }
}

const order = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

function withoutUndefined(values: Readonly<Record<string, Value | undefined>>): Record<string, Value | undefined> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function withoutNothing(item: Item): Item {
  return Object.fromEntries(
    Object.entries(withoutUndefined(item)).filter(([, value]) => !(value instanceof Set && value.size === 0)),
  ) as Item;
}

function holds(item: Readonly<Record<string, Value | undefined>>, clause: Clause): boolean {
  if ('anyOf' in clause) return clause.anyOf.some((one) => holds(item, one));
  const stored = item[clause.attribute];
  if (clause.is === 'absent') return stored === undefined;
  if (clause.is === 'present') return stored !== undefined;
  if (!('value' in clause) || typeof stored !== typeof clause.value) return false;
  const by = typeof stored === 'string' ? order(stored, clause.value as string) : Number(stored) - Number(clause.value);
  return { '=': by === 0, '<': by < 0, '<=': by <= 0, '>': by > 0, '>=': by >= 0 }[clause.is];
}

type Operation =
  | { readonly do: 'get'; readonly sk: string }
  | { readonly do: 'put'; readonly sk: string; readonly attributes: Attributes; readonly condition: Condition }
  | { readonly do: 'update'; readonly sk: string; readonly change: Change; readonly condition: Condition }
  | { readonly do: 'delete'; readonly sk: string; readonly condition: Condition }
  | { readonly do: 'query'; readonly range: KeyRange };
type Attributes = Readonly<Record<string, Value | undefined>>;

// Few characters, so that equal and neighbouring texts are met. In sort keys some order differently in UTF-8 and in
// UTF-16; in what is compared with them none, as dynalite compares UTF-16 units there, which DynamoDB does not.
const text = fc.string({ unit: fc.constantFrom('a', 'b', '\0', '"', '$', 'é', '😀'), maxLength: 4 });
const bound = fc.string({ unit: fc.constantFrom('a', '#', '😀'), maxLength: 2 });
const sortKey = fc.string({ unit: fc.constantFrom('a', '#', '\uffee', '😀'), minLength: 1, maxLength: 2 });
const number = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.maxSafeInteger(), fc.constantFrom(0.5, -1e21, 1.5e-9));
const members = fc.array(fc.constantFrom('a', 'b', 'g1', 'é'), { maxLength: 3 });

const { json } = fc.letrec<{ json: Value }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    number,
    text,
    fc.array(tie('json'), { maxLength: 3 }) as fc.Arbitrary<Value>,
    // Names that a careless encoder takes for its own.
    fc.dictionary(fc.constantFrom('a', '$set', '$map', '__proto__', '\\__proto__', '', 'S'), tie('json'), {
      maxKeys: 2,
      noNullPrototype: true,
    }) as fc.Arbitrary<Value>,
  ),
}));

// One kind of value an attribute, as in every real item: `n…` numbers, `s…` sets, `v…` anything.
const attributes = fc.record(
  {
    n1: number,
    n2: number,
    s1: members.map((list) => new Set(list)),
    v1: json,
    v2: fc.option(json, { nil: undefined }),
  },
  { requiredKeys: [] },
);

const scalar = fc.oneof(number, text);
const attribute = fc.constantFrom('n1', 'n2', 's1', 'v1', 'v2', 'pk', 'never');
const simpleClause: fc.Arbitrary<Clause> = fc.oneof(
  fc.record({ attribute, is: fc.constantFrom('absent', 'present') }),
  fc.record({ attribute, is: fc.constant('=' as const), value: fc.oneof(scalar, fc.boolean()) }),
  fc.record({ attribute, is: fc.constantFrom('<', '<=', '>', '>='), value: scalar }),
);
const clause = fc.oneof(
  simpleClause,
  fc.array(simpleClause, { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
);
const condition = fc.oneof(
  { weight: 2, arbitrary: fc.constant([]) },
  { weight: 3, arbitrary: fc.array(clause, { maxLength: 2 }) },
);

const change: fc.Arbitrary<Change> = fc.record(
  {
    set: fc.record({ v1: json, s2: members.map((list) => new Set(list)) }, { requiredKeys: [] }),
    remove: fc.subarray(['v2', 'n3', 's3']),
    addToSet: fc.record({ s1: members }),
    increment: fc.record({ n1: fc.integer({ min: -2, max: 2 }), n4: fc.constant(1) }),
  },
  { requiredKeys: ['increment'] },
);

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ do: fc.constant('get' as const), sk: sortKey }),
  fc.record({ do: fc.constant('put' as const), sk: sortKey, attributes, condition }),
  fc.record({ do: fc.constant('update' as const), sk: sortKey, change, condition }),
  fc.record({ do: fc.constant('delete' as const), sk: sortKey, condition }),
  fc.record({
    do: fc.constant('query' as const),
    range: fc.record(
      { from: bound, to: bound, reverse: fc.boolean(), limit: fc.nat({ max: 4 }) },
      { requiredKeys: [] },
    ),
  }),
);

export const operations = fc.array(operation, { minLength: 1, maxLength: 30 });

/** Does the same to both and compares every answer, and what is there at the end. */
export async function expectLikeModel(table: Table, pk: string, sequence: readonly Operation[]): Promise<void> {
  const model = new TableModel();
  for (const step of [...sequence, { do: 'query', range: {} } as const]) {
    expect(await onTable(table, pk, step)).toStrictEqual(onModel(model, pk, step));
  }
}

async function onTable(table: Table, pk: string, step: Operation): Promise<unknown> {
  if (step.do === 'query') return (await Array.fromAsync(table.query(pk, step.range))).flat();
  const key = { pk, sk: step.sk };
  if (step.do === 'get') return table.get(key);
  if (step.do === 'put') return table.put({ ...step.attributes, ...key }, step.condition);
  return step.do === 'update' ? table.update(key, step.change, step.condition) : table.delete(key, step.condition);
}

function onModel(model: TableModel, pk: string, step: Operation): unknown {
  if (step.do === 'query') return model.query(pk, step.range);
  const key = { pk, sk: step.sk };
  if (step.do === 'get') return model.get(key);
  if (step.do === 'put') return model.put({ ...step.attributes, ...key }, step.condition);
  return step.do === 'update' ? model.update(key, step.change, step.condition) : model.delete(key, step.condition);
}
