import { describe, expect, it } from 'vitest';
import { BOOLEAN, LONG, STRING, TIMESTAMP, type Value } from '../../shared/records/column-type.ts';
import type { Row, Schema } from '../../shared/records/schema.ts';
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

const SCHEMA = schemaOf({ id: LONG, name: STRING, flag: BOOLEAN, at: TIMESTAMP });
/** Types change in a way that a database must convert, and must not convert twice. */
const WIDER = schemaOf({ id: LONG, name: STRING, flag: STRING, at: STRING });
const AT = '2024-01-01T00:00:00Z';

const row = (at: number, id: number | null, name: string, flag: Value): Row =>
  upsert(at, id === null ? null : BigInt(id), name, flag, AT);

const STATES: readonly { readonly schema: Schema; readonly rows: readonly Row[] }[] = [
  { schema: SCHEMA, rows: [1, 2, 3, 4, 5].map((id) => row(1, id, `first ${id}`, id % 2 === 0)) },
  {
    schema: WIDER,
    rows: [row(2, 2, 'changed', 'maybe'), deletion(2, 4, 3n), row(2, 9, 'new', 'true'), row(2, null, 'no key', null)],
  },
  { schema: WIDER, rows: [row(3, 1, 'again', 'false'), row(3, 2, 'again', 'no'), row(3, 2, 'again, twice', 'yes')] },
];
const CONTENTS = [
  '',
  '1=first 1 false,2=first 2 true,3=first 3 false,4=first 4 true,5=first 5 false',
  '1=first 1 false,2=changed maybe,4=first 4 true,5=first 5 false,9=new true',
  '1=again false,2=again, twice yes',
];

/** A first load, changes, and a load that replaces all: each is carried on until it is done. */
async function keepInSync(target: SqlTarget, name: string): Promise<void> {
  const table = target.table({ namespace: 'crashes', name }, { limits: { batchRows: 2 } });
  try {
    for (const [index, { schema, rows }] of STATES.entries()) {
      const place = String(index + 1);
      if (Number((await ownState(target, name))?.place ?? 0) > index) continue;
      const load = await (index === 1
        ? table.beginChanges(place, { schema })
        : table.beginGeneration(place, { schema }));
      await load.write(0, batch(schema, rows.slice(0, 3)));
      await load.endPart(0);
      await load.write(1, batch(schema, rows.slice(3)));
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

const FLAGS: Readonly<Record<string, string>> = { t: 'true', f: 'false', 1: 'true', 0: 'false' };

async function contentOf({ session, dialect }: SqlDatabase, name: string): Promise<string> {
  const table = dialect.table({ namespace: 'crashes', name });
  if (!(await dialect.exists(session, table))) return '';
  const rows = await session.query(`SELECT id, name, flag, at FROM ${table} ORDER BY id`);
  return rows
    .map(({ id, name: text, flag, at }) => {
      // Whether its type has changed yet is not what is looked at.
      expect(at?.slice(0, 19).replace(' ', 'T')).toBe(AT.slice(0, 19));
      return `${id}=${text} ${FLAGS[flag!] ?? flag}`;
    })
    .join(',');
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
          // What comes behind all that matters, such as statistics, may fail in silence.
          const cut = keepInSync(new SqlTarget({ ...db, session: broken }), name);
          await cut.catch((error: unknown) => expect(error).toBeInstanceOf(DatabaseConnectionError));
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
