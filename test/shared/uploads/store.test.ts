import { describe, expect, it, onTestFinished } from 'vitest';
import { epochMs, minutes } from '../../../shared/core/units.ts';
import { SqliteDatabase } from '../../../shared/sqlite/database.ts';
import { sqliteTables } from '../../../shared/tables/sqlite.ts';
import { SinkStore } from '../../../shared/uploads/store.ts';

const NOW = epochMs(new Date('2026-01-01T00:00:00Z'));

function aStore(): SinkStore {
  const database = new SqliteDatabase(':memory:');
  onTestFinished(() => database.close());
  return new SinkStore(sqliteTables(database).runs);
}

describe('a sink that is held', () => {
  it('belongs to the last delivery of a message: the one before writes nothing any more', async () => {
    const store = aStore();
    await store.want('p', 's');
    const claim = () => store.claim('p', 's', 'message', NOW, minutes(5));
    const late = (await claim())!;
    const last = (await claim())!;

    expect(await store.change(late, 'message', { place: 1 })).toBeUndefined();
    expect(await store.release(late, 'message')).toBeUndefined();
    await store.letGo(late, 'message', { attempts: 7 });

    expect(await store.change(last, 'message', { place: 2 })).toMatchObject({ place: 2, attempts: 0 });
    expect(await store.release(last, 'message')).toMatchObject({ place: 2 });
  });

  it('is not had by another message before its time is over', async () => {
    const store = aStore();
    await store.claim('p', 's', 'one', NOW, minutes(5));

    expect(await store.claim('p', 's', 'other', NOW, minutes(5))).toBeUndefined();
    const later = epochMs(new Date(NOW + minutes(5)));
    expect(await store.claim('p', 's', 'other', later, minutes(5))).toMatchObject({ holder: 'other' });
  });
});
