import { it } from 'vitest';
import { SqlTarget } from '../../shared/sinks/sql/target.ts';
import { checkRoundTrip } from '../support/sql-round-trip.ts';
import { DATABASES } from './databases.ts';

it.each(DATABASES)('random records come back from $name as they were', async ({ connection }) => {
  await using target = await SqlTarget.open(connection);

  await checkRoundTrip(target, 200);
});
