import { Command } from 'commander';
import type { PartitionMetadata, TableMetadata } from '../../../shared/clients/maxcompute/index.ts';
import { type Act, examples } from '../../act.ts';
import { EXIT } from '../../errors.ts';
import { bytesText, countText, oneLine, printable, tableText, timeText } from '../../text.ts';
import { openAccess } from './access.ts';
import type { MaxComputeOptions } from './options.ts';

interface DescribeOptions extends MaxComputeOptions {
  readonly partitions?: boolean;
}

export const describeCommand = (act: Act): Command =>
  new Command('describe')
    .description('show columns, sizes and times of a table')
    .argument('<table>', 'its name')
    .option('--partitions', 'list its partitions too')
    .addHelpText('after', examples('maxcompute describe orders', 'maxcompute describe sales --partitions --json'))
    .action(
      act<[string], DescribeOptions>(async (session, [name], options) => {
        const { client, signal } = await openAccess(session, options);
        const table = await client.getTable(name, { signal });
        const partitions: PartitionMetadata[] = [];
        if (options.partitions)
          for await (const partition of client.listPartitions(name, { signal })) partitions.push(partition);
        if (session.json) {
          const { answeredAt: _, ...facts } = table;
          await session.printJson({ ...facts, ...(options.partitions ? { partitions } : {}) });
          return EXIT.done;
        }
        await session.print(describeText(table));
        if (options.partitions) await session.print(`\n${partitionsText(partitions)}`);
        return EXIT.done;
      }),
    );

function describeText(table: TableMetadata): string {
  const { columns, partitionKeys, recordCount, sizeBytes, lastModifiedTime, type, comment } = table;
  const facts = [
    printable(table.name),
    ...(type ? [printable(type)] : []),
    ...(recordCount === null ? [] : [`${countText(recordCount)} rows`]),
    ...(sizeBytes === null ? [] : [bytesText(sizeBytes)]),
    ...(lastModifiedTime ? [`changed ${timeText(lastModifiedTime.getTime())}`] : []),
  ];
  const rows = [
    ...columns.map((column) => ({ ...column, key: '' })),
    ...partitionKeys.map((column) => ({ ...column, key: 'partition' })),
  ].map(({ name, type: declared, nullable, key, comment: about }) => [
    printable(name),
    printable(declared),
    [nullable ? '' : 'not null', key].filter(Boolean).join(' '),
    oneLine(about ?? ''),
  ]);
  const titles = [{ title: 'column' }, { title: 'type' }, { title: 'is' }, { title: 'comment' }];
  return `${facts.join('  ')}\n${comment ? `${oneLine(comment)}\n` : ''}\n${tableText(titles, rows)}`;
}

function partitionsText(partitions: readonly PartitionMetadata[]): string {
  if (partitions.length === 0) return 'There are no partitions.\n';
  const rows = partitions.map(({ spec, lastModifiedTime }) => [
    printable(spec),
    lastModifiedTime ? timeText(lastModifiedTime.getTime()) : '',
  ]);
  return tableText([{ title: 'partition' }, { title: 'changed' }], rows);
}
