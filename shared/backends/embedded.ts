import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import type { Environment } from '../core/env.ts';
import { epochMs, toTtl } from '../core/units.ts';
import { cleanTemporary, folderObjects } from '../landing/folder.ts';
import { isOwnerAlive, processOwner } from '../queue/process-owner.ts';
import { sqliteQueues } from '../queue/sqlite.ts';
import { localSecrets } from '../secrets/local.ts';
import { SqliteDatabase } from '../sqlite/database.ts';
import { purgeExpired, sqliteTables } from '../tables/sqlite.ts';
import type { Backend } from './backend.ts';

export interface EmbeddedOptions {
  /** A folder of this machine; made if it is not there. */
  readonly home: string;
  /** For secrets in environment variables. */
  readonly env: Environment;
  readonly clock: Clock;
}

/**
 * The backend of one machine: a SQLite file with tables and queues, a folder with the objects. Several processes may share
 * it, and any of them may be killed at any point.
 *
 * @throws {DatabaseError} {@link DatabaseBusyError} the file cannot be opened
 */
export function openEmbedded({ home, env, clock }: EmbeddedOptions): Backend {
  const database = new SqliteDatabase(join(home, 'landfall.sqlite'));
  const queues = sqliteQueues(database, { clock, owner: processOwner(), isAlive: isOwnerAlive });
  const objects = join(home, 'objects');
  return {
    kind: 'embedded',
    tables: sqliteTables(database),
    queues,
    objects: folderObjects(objects, { exclusively: (work) => database.write(work) }),
    secrets: localSecrets({ folder: join(home, 'secrets'), env }),
    async housekeep() {
      await queues.releaseDead();
      await purgeExpired(database, toTtl(epochMs(clock())));
      await cleanTemporary(objects, { clock });
    },
    close: () => database.close(),
  };
}
