import { describe } from 'vitest';
import { describeCrashes } from '../../../support/sql-crash.ts';

describe('a load into the embedded PostgreSQL', () => {
  describeCrashes(() => 'pglite:memory', 37);
});
