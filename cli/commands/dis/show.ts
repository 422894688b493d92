import type { Session } from '../../session.ts';
import { type Column, printable, tableText, timeText } from '../../text.ts';

/** Numbers beyond 2^53 are text in JSON, and bytes are base64. */
export function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
}

/** A column and what it shows of an item. */
export interface Shown<T> extends Column {
  readonly cell: (item: T) => string | number | bigint | undefined;
}

/** Each item as a line of JSON as it comes, or all of them as a table. */
export async function show<T>(
  session: Session,
  items: AsyncIterable<T> | Iterable<T>,
  columns: readonly Shown<T>[],
  nothing: string,
): Promise<void> {
  const rows: string[][] = [];
  for await (const item of items) {
    if (session.json) await session.printJson(plain(item));
    else rows.push(columns.map(({ cell }) => printable(String(cell(item) ?? ''))));
  }
  if (!session.json) await session.print(rows.length === 0 ? `${nothing}\n` : tableText(columns, rows));
}

/** One thing: JSON, or a line for each of its facts. */
export async function showFacts(session: Session, item: object): Promise<void> {
  if (session.json) return session.printJson(plain(item));
  const facts = Object.entries(item).filter(([, value]) => value !== undefined);
  const width = Math.max(0, ...facts.map(([name]) => name.length));
  for (const [name, value] of facts) {
    const text = typeof value === 'object' ? JSON.stringify(plain(value)) : String(value);
    await session.print(`${name.padEnd(width)}  ${printable(isTime(name) ? timeText(Number(value)) : text)}\n`);
  }
}

const isTime = (name: string) => /^(createdAt|updatedAt|lastTransferTimestamp)$/.test(name);

/** That something was done: a sentence, or JSON. */
export async function tell(session: Session, sentence: string, facts: object): Promise<void> {
  if (session.json) await session.printJson(plain(facts));
  else await session.print(`${sentence}\n`);
}

export const timeCell = (epochMs: number | undefined): string => (epochMs === undefined ? '' : timeText(epochMs));
