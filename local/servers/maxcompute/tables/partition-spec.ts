import { badRequest } from '../errors.ts';
import type { Column, PartitionRecord } from './definition.ts';

/**
 * The levels of `pt=1,region='eu'`, by name; `/` between levels is taken too, as some clients write it.
 *
 * @throws {ServiceError} InvalidPartitionSpec
 */
export function parseSpec(text: string, columns: readonly Column[]): Map<string, string> {
  const levels = new Map<string, string>();
  const parts =
    text.trim() === '' ? [] : [...text.matchAll(/\s*([^=,/]+)\s*=\s*('(?:[^']*)'|"(?:[^"]*)"|[^,/]*)\s*(?:[,/]|$)/g)];
  if (parts.reduce((sum, [all]) => sum + all.length, 0) !== text.trim().length) {
    throw badRequest(`partition spec ${text} is not a list of name=value`, 'InvalidPartitionSpec');
  }
  for (const [, name = '', value = ''] of parts) {
    const column = columns.find((one) => one.name === name.trim().toLowerCase());
    if (!column) throw badRequest(`${name.trim()} is no partition column`, 'InvalidPartitionSpec');
    if (levels.has(column.name)) throw badRequest(`${column.name} is given twice`, 'InvalidPartitionSpec');
    levels.set(column.name, value.trim().replace(/^(['"])(.*)\1$/, '$2'));
  }
  return levels;
}

/** As `parseSpec`, for a spec that must name every level. */
export function parseFullSpec(text: string, columns: readonly Column[]): readonly string[] {
  const levels = parseSpec(text, columns);
  const missing = columns.find(({ name }) => !levels.has(name));
  if (missing) throw badRequest(`partition spec ${text} does not name ${missing.name}`, 'InvalidPartitionSpec');
  return columns.map(({ name }) => levels.get(name)!);
}

export const formatSpec = (columns: readonly Column[], { values }: Pick<PartitionRecord, 'values'>): string =>
  columns.map(({ name }, level) => `${name}=${values[level]}`).join(',');

export const isSamePartition = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((value, level) => value === b[level]);
