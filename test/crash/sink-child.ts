import { files } from '../../shared/connectors/files/files.ts';
import { secret } from '../../shared/pipelines/define.ts';
import { disStream } from '../../shared/sinks/dis/sink.ts';
import { maxComputeTable } from '../../shared/sinks/maxcompute/sink.ts';
import { s3Sink } from '../../shared/sinks/s3/sink.ts';
import type { StreamSink } from '../../shared/sinks/sink.ts';
import { sqlDatabase } from '../../shared/sinks/sql/sink.ts';
import { DIS_BATCH, DIS_PARALLEL } from './dis-overlap.ts';
import { live } from './life.ts';
import type { SinkUnderTest } from './sinks.ts';

// One worker process over a folder with a sink: `sink-child.ts <home> <source> <type> <target> [--sweep]`.
const [home, source, type, target, ...flags] = process.argv.slice(2) as [
  string,
  string,
  SinkUnderTest['type'],
  string,
  ...string[],
];
const name = 'sink';
const credentials = secret('sink');
const SINKS: Readonly<Record<SinkUnderTest['type'], () => StreamSink>> = {
  sql: () => sqlDatabase({ name, connection: target, namespace: 'crash', table: 'lines' }),
  s3: () => s3Sink({ name, bucket: target }),
  dis: () =>
    disStream({
      ...{ name, credentials, stream: 'lines', endpoint: target, region: 'eu-de' },
      ...{ records: 'lines', batchRecords: DIS_BATCH, parallel: DIS_PARALLEL },
    }),
  maxcompute: () => maxComputeTable({ name, credentials, table: 'lines', project: 'landfall', endpoint: target }),
};
await live({
  home,
  pipeline: {
    source: files({ folder: source }),
    deleteGuard: 'off',
    land: { parser: { format: 'text' } },
    sinks: [SINKS[type]()],
  },
  sweeps: flags.includes('--sweep'),
});
