import { expect, it } from 'vitest';
import { aStreamSink, refreshed } from '../shared/sinks/dis/stream-world.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { PeerClient } from './dis/client.ts';

it.each(['json', 'protobuf'] as const)(
  'otcextensions reads the records that our sink has uploaded (%s)',
  async (recordFormat) => {
    const world = await aStreamSink({
      // The vendor's client goes by the machine's clock.
      time: new FakeClock(new Date().toISOString()),
      partitions: 2,
      sink: { partitionKey: 'k', recordFormat },
      land: { parser: { format: 'csv' } },
    });
    world.source.leaf('t.csv', '1', { bytes: 'k,text\na,grüß\nb,"x,y"\na,z\n' });

    await refreshed(world);

    const peer = new PeerClient('otcextensions_calls.py', world.server);
    try {
      const records: { partition_key: string; data: string }[] = [];
      for (const partition of [0, 1]) {
        const cursor = (await peer.ok('get_data_cursor', ['out', partition], { cursor_type: 'TRIM_HORIZON' })) as {
          partition_cursor: string;
        };
        records.push(...((await peer.ok('download_data', [cursor.partition_cursor])) as typeof records));
      }
      const read = records.map(({ partition_key: key, data }) => `${key} ${Buffer.from(data, 'base64')}`);
      expect(read.sort()).toEqual(['a {"k":"a","text":"grüß"}', 'a {"k":"a","text":"z"}', 'b {"k":"b","text":"x,y"}']);
    } finally {
      peer.close();
    }
  },
);
