import { it } from 'vitest';
import { SqlTarget } from '../../../../shared/sinks/sql/target.ts';
import { checkRoundTrip } from '../../../support/sql-round-trip.ts';

it('random records come back from the embedded PostgreSQL as they were', async () => {
  await using target = await SqlTarget.open('pglite:memory');

  await checkRoundTrip(target, 8);
}, 60_000);
