// A process that the kill test runs, and ends at any moment: brings one table into a database, or up to date in it.
import { Credentials, DapClient } from '../../shared/clients/dap/index.ts';
import { SQLReplicator } from '../../shared/sinks/sql/dap/replicator.ts';

const [baseUrl, clientId = '', clientSecret = '', connection = '', method, table = ''] = process.argv.slice(2);
const credentials = Credentials.create(clientId, clientSecret);
await using session = new DapClient({ baseUrl: baseUrl!, credentials, rateLimits: { start: 10_000 } }).open();
await using replicator = new SQLReplicator(session, connection, { limits: { batchRows: 300 } });
await (method === 'initialize' ? replicator.initialize('canvas', table) : replicator.synchronize('canvas', table));
