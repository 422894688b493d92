import { dap } from '../../shared/connectors/dap/dap.ts';
import { secret } from '../../shared/pipelines/define.ts';
import { sqlDatabase } from '../../shared/sinks/sql/sink.ts';
import { live } from './life.ts';

// One worker process over the tables of a DAP server: `dap-child.ts <home> <url> [--sql] [--sweep]`.
const [home, baseUrl, ...flags] = process.argv.slice(2) as [string, string, ...string[]];
await live({
  home,
  pipeline: {
    source: dap({ namespace: 'canvas', baseUrl, startsPerMinute: 10_000 }),
    credentials: secret('dap'),
    sinks: flags.includes('--sql') ? [sqlDatabase({ connection: `pglite:${home}/database`, namespace: 'canvas' })] : [],
  },
  sweeps: flags.includes('--sweep'),
});
