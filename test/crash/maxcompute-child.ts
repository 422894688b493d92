import { maxcompute } from '../../shared/connectors/maxcompute/maxcompute.ts';
import { secret } from '../../shared/pipelines/define.ts';
import { live } from './life.ts';

// One worker process over the tables of a MaxCompute server: `maxcompute-child.ts <home> <endpoint> [--incremental] [--sweep]`.
const [home, endpoint, ...flags] = process.argv.slice(2) as [string, string, ...string[]];
await live({
  home,
  pipeline: {
    source: maxcompute({
      project: 'landfall',
      endpoint,
      split: { rows: 200 },
      batchRows: 50,
      incremental: flags.includes('--incremental'),
    }),
    credentials: secret('maxcompute'),
  },
  sweeps: flags.includes('--sweep'),
});
