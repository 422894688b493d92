import { describe } from 'vitest';
import { describeTables } from '../support/sql-table-contract.ts';
import { DATABASES } from './databases.ts';

describe.each(DATABASES)('tables of $name', ({ connection }) => {
  describeTables(() => connection);
});
