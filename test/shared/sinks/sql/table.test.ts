import { describe } from 'vitest';
import { describeTables } from '../../../support/sql-table-contract.ts';

describe('tables of the embedded PostgreSQL', () => {
  describeTables(() => 'pglite:memory');
});
