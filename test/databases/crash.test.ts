import { describe } from 'vitest';
import { describeCrashes } from '../support/sql-crash.ts';
import { DATABASES } from './databases.ts';

describe.each(DATABASES)('a load into $name', ({ name, connection }) => {
  // Tables are made and dropped so much slower there.
  describeCrashes(() => connection, name === 'MariaDB' ? 3 : 1);
});
