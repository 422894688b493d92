import { dap } from '../shared/connectors/dap/dap.ts';
import { definePipeline, secret } from '../shared/pipelines/define.ts';
import { sqlDatabase } from '../shared/sinks/sql/sink.ts';

// The secret is {"clientId": "…", "clientSecret": "…"}, of a key made at Instructure. Without an address it is the real service;
// `npm start` and `landfall emulate dap` give the one of a server on this machine, which need not be spared.
const baseUrl = process.env.DAP_API_URL;

export default definePipeline({
  name: 'canvas',
  description: 'A copy of all Canvas tables: a snapshot each, then what changed.',
  source: dap({
    namespace: 'canvas',
    format: 'jsonl',
    ...(baseUrl ? { baseUrl } : {}),
    startsPerMinute: baseUrl?.startsWith('http://127.0.0.1') ? 6000 : 5,
  }),
  credentials: secret('landfall/canvas'),
  // For a server: sqlDatabase({ connection: secret('landfall/warehouse') }), whose value is its connection string.
  sinks: [sqlDatabase({ connection: process.env.CANVAS_DATABASE ?? 'pglite:.landfall/canvas-database' })],
});
