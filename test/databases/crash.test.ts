import { describe } from 'vitest';
import { describeCrashes } from '../support/sql-crash.ts';
import { DATABASES } from './databases.ts';

describe.each(DATABASES)('a load into $name', ({ connection }) => {
  describeCrashes(() => connection, 1);
});
