import { describe, expect, it } from 'vitest';
import { LONG, STRING } from '../../shared/records/column-type.ts';
import type { Row } from '../../shared/records/schema.ts';
import { DatabaseConnectionError } from '../../shared/sinks/sql/errors.ts';
import { openDatabase, type SqlDatabase } from '../../shared/sinks/sql/open.ts';
import type { SqlSession } from '../../shared/sinks/sql/session.ts';
import { SqlTarget } from '../../shared/sinks/sql/target.ts';
import { batch, deletion, schemaOf, upsert } from './sql-table.ts';

/** A session whose connection breaks at the n-th call: before it is carried out, or before its answer comes. */
class BreakingSession implements SqlSession {
  readonly label: string;
  readonly #inner: SqlSession;
  readonly #at: number;
  readonly #carriesOut: boolean;
  calls = 0;

  constructor(inner: SqlSession, at: number, carriesOut: boolean) {
    this.label = inner.label;
    this.#inner = inner;
    this.#at = at;
    this.#carriesOut = carriesOut;
  }

  query(...of: Parameters<SqlSession['query']>) {
    return this.#call(() => this.#inner.query(...of));
  }

  execute(...of: Parameters<SqlSession['execute']>) {
    return this.#call(() => this.#inner.execute(...of));
  }

  load(...of: Parameters<SqlSession['load']>) {
    return this.#call(() => this.#inner.load(...of));
  }

  async transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.query('BEGIN');
    let result: T;
    try {
      result = await work();
    } catch (error) {
      await this.query('ROLLBACK').catch(() => {});
      throw error;
    }
    await this.query('COMMIT');
    return result;
  }

  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}

  async #call<T>(work: () => Promise<T>): Promise<T> {
    this.calls += 1;
    if (this.calls > this.#at) throw new DatabaseConnectionError('the connection is gone');
    if (this.calls < this.#at) return work();
    if (this.#carriesOut) await work().catch(() => {});
    // What the server does when it notices.
    await this.#inner.query('ROLLBACK').catch(() => {});
    throw new DatabaseConnectionError('the connection broke');
  }
}

const SCHEMA = schemaOf({ id: LONG, name: STRING });
const STATES: readonly (readonly Row[])[] = [
  [1, 2, 3, 4, 5].map((id) => upsert(1, BigInt(id), `first ${id}`)),
  [upsert(2, 2n, 'changed'), deletion(2, 2, 3n), upsert(2, 9n, 'new'), upsert(2, null, 'no key')],
  [upsert(3, 1n, 'again'), upsert(3, 2n, 'again'), upsert(3, 2n, 'again, twice')],
];
const CONTENTS = [
  '',
  '1=first 1,2=first 2,3=first 3,4=first 4,5=first 5',
  '1=first 1,2=changed,4=first 4,5=first 5,9=new',
  '1=again,2=again, twice',
];

/** A first load, changes, and a load that replaces all: each is carried on until it is done. */
async function keepInSync(target: SqlTarget, name: string): Promise<void> {
  const table = target.table({ namespace: 'crashes', name }, { limits: { batchRows: 2 } });
  try {
    for (const [index, rows] of STATES.entries()) {
      const place = String(index + 1);
      if (Number((await ownState(target, name))?.place ?? 0) > index) continue;
      const load = await (index === 1
        ? table.beginChanges(place, { schema: SCHEMA })
        : table.beginGeneration(place, { schema: SCHEMA }));
      await load.write(0, batch(SCHEMA, rows.slice(0, 3)));
      await load.endPart(0);
      await load.write(1, batch(SCHEMA, rows.slice(3)));
      await load.endPart(1);
      await load.finish({ place });
    }
  } finally {
    await table.release().catch(() => {});
  }
}

async function ownState(target: SqlTarget, name: string) {
  return (await target.own.exist()) ? target.own.state({ namespace: 'crashes', name }) : undefined;
}

async function contentOf({ session, dialect }: SqlDatabase, name: string): Promise<string> {
  const table = dialect.table({ namespace: 'crashes', name });
  if (!(await dialect.exists(session, table))) return '';
  const rows = await session.query(`SELECT id, name FROM ${table} ORDER BY id`);
  return rows.map((row) => `${row.id}=${row.name}`).join(',');
}

/** @param every looks at each n-th point only */
export function describeCrashes(connection: () => string, every: number): void {
  describe.each([
    ['before a statement is carried out', false],
    ['before its answer comes', true],
  ])('a connection that breaks %s', (_when, carriesOut) => {
    it('shows readers complete states only, and the next run ends with the same content', async () => {
      const db = await openDatabase(connection());
      try {
        const whole = new BreakingSession(db.session, Infinity, true);
        await keepInSync(new SqlTarget({ ...db, session: whole }), `whole_${carriesOut}`);
        expect(await contentOf(db, `whole_${carriesOut}`)).toBe(CONTENTS[3]);

        for (let at = 1; at < whole.calls; at += every) {
          const name = `cut_${carriesOut}_${at}`;
          const broken = new BreakingSession(db.session, at, carriesOut);
          await expect(keepInSync(new SqlTarget({ ...db, session: broken }), name)).rejects.toThrow('connection');
          await releaseLocks(db, name);
          expect(CONTENTS, `call ${at}`).toContain(await contentOf(db, name));

          await keepInSync(new SqlTarget(db), name);
          expect(await contentOf(db, name), `call ${at}`).toBe(CONTENTS[3]);
          const state = await new SqlTarget(db).own.state({ namespace: 'crashes', name });
          expect(state).toMatchObject({ generation: '3', place: '3' });
        }
      } finally {
        await db.session.close();
      }
    }, 600_000);
  });
}

/** A server drops them with the connection; here the connection lives on. */
async function releaseLocks({ session, dialect }: SqlDatabase, name: string): Promise<void> {
  for (let times = 0; times < 3; times++) await dialect.unlock(session, `landfall crashes.${name}`);
}
