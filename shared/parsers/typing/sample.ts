import type { ExactValue } from '../../core/lossless-json.ts';
import { ColumnInference, type InferenceOptions } from '../../records/infer.ts';
import { type Column, column } from '../../records/schema.ts';
import { BadRaw, type RawBatch } from './raw.ts';
import type { ColumnRule } from './rules.ts';

/**
 * Infers columns from raw records, in the order in which their fields appear; those whose type the format tells have it.
 *
 * @param isWanted which fields; by default all
 */
export function inferColumns(
  batches: readonly RawBatch[],
  rules: ReadonlyMap<string, ColumnRule>,
  emptyAsNull: boolean,
  options: InferenceOptions,
  isWanted: (field: string) => boolean = () => true,
): Column[] {
  const schema = batches[0]?.fields && batches[0].schema;
  if (schema) {
    const wanted = schema.columns.filter(({ name }) => isWanted(name));
    return wanted.map((one) => ({ ...one, name: rules.get(one.name)?.targetName ?? one.name }));
  }
  const found = new Map<string, ColumnInference>();
  const inferenceOf = (field: string): ColumnInference => {
    let inference = found.get(field);
    if (!inference) {
      inference = new ColumnInference(options);
      found.set(field, inference);
    }
    return inference;
  };
  for (const batch of batches) {
    if (batch.fields) {
      const inferences = batch.fields.map((field) => (isWanted(field) ? inferenceOf(field) : undefined));
      const cleaners = batch.fields.map((field) => cleanerOf(rules.get(field), emptyAsNull));
      for (const record of batch.records) {
        if (record instanceof BadRaw) continue;
        for (let index = 0; index < inferences.length; index++) {
          const inference = inferences[index];
          if (!inference) continue;
          const cell = cleaners[index]!(record[index]);
          if (batch.mode === 'text' && typeof cell === 'string') inference.addText(cell);
          else inference.addValue(cell as ExactValue | undefined);
        }
      }
      continue;
    }
    for (const record of batch.records) {
      if (record instanceof BadRaw) continue;
      for (const [field, value] of Object.entries(record)) {
        if (isWanted(field)) inferenceOf(field).addValue(cleanerOf(rules.get(field), false)(value) as ExactValue);
      }
    }
  }
  return [...found].map(([field, inference]) => column(rules.get(field)?.targetName ?? field, inference.result().type));
}

type Cleaner = (value: unknown) => unknown;
const asIs: Cleaner = (value) => value;

/** What the rule takes for null, or off the ends, says nothing of the type. */
function cleanerOf(rule: ColumnRule | undefined, emptyAsNull: boolean): Cleaner {
  const { trim, nullValues } = rule ?? {};
  if (!trim && !nullValues && !emptyAsNull) return asIs;
  const nulls = new Set<unknown>(nullValues);
  if (emptyAsNull) nulls.add('');
  return (value) => {
    const trimmed = trim && typeof value === 'string' ? value.trim() : value;
    return nulls.has(trimmed) ? null : trimmed;
  };
}
