import { files } from '../../shared/connectors/files/files.ts';
import { live } from './life.ts';

// One worker process over a folder: `child.ts <home> <source> [--sweep] [--clock-skew-ms N]`.
const [home, source, ...flags] = process.argv.slice(2) as [string, string, ...string[]];
const skewMs = flags.includes('--clock-skew-ms') ? Number(flags[flags.indexOf('--clock-skew-ms') + 1]) : 0;
await live({
  home,
  pipeline: { source: files({ folder: source }), deleteGuard: 'off', failurePolicy: 'partition' },
  sweeps: flags.includes('--sweep'),
  clock: () => new Date(Date.now() + skewMs),
});
