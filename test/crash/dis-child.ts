import { dis } from '../../shared/connectors/dis/dis.ts';
import { secret } from '../../shared/pipelines/define.ts';
import { live } from './life.ts';

// One worker process over a stream of a DIS server: `dis-child.ts <home> <url> [--sweep]`.
const [home, endpoint, ...flags] = process.argv.slice(2) as [string, string, ...string[]];
await live({
  home,
  pipeline: {
    source: dis({ stream: 's', app: 'reader', endpoint, region: 'eu-de', framing: 'raw', recordsPerRange: 25 }),
    credentials: secret('dis'),
  },
  sweeps: flags.includes('--sweep'),
});
