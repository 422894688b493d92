import { DatabaseError } from './errors.ts';

/** Unique violations of the catalog; a schema, a table or a type that is there already. */
const RACED: ReadonlySet<string> = new Set(['23505', '42P06', '42P07', '42710', '40P01']);
const TRIES = 5;

/**
 * `IF NOT EXISTS` of PostgreSQL looks first and makes then: of two that do so at once, one fails. Done again, it finds what the
 * other has made. Not for use within a transaction.
 */
export async function unlessRaced<T>(make: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await make();
    } catch (error) {
      if (tries >= TRIES || !(error instanceof DatabaseError && RACED.has(error.sqlState))) throw error;
    }
  }
}
