import { SQLReplicator } from '../shared/sinks/sql/dap/replicator.ts';
import { openDap, type ServedDap } from './dap.ts';
import { peakRssMib, timed } from './measure.ts';

// A replication in a process of its own, so that its memory is its own: `replicate.ts METHOD SERVER CONNECTION TABLE` prints
// `{seconds, peakRssMib, rows}`.
const [method, server = '', connection = '', table = ''] = process.argv.slice(2);
await using session = openDap(JSON.parse(server) as ServedDap);
await using replicator = new SQLReplicator(session, connection);
const { seconds, result } = await timed(() =>
  method === 'initialize' ? replicator.initialize('canvas', table) : replicator.synchronize('canvas', table),
);
console.log(JSON.stringify({ seconds, peakRssMib: peakRssMib(), rows: result.rows }));
