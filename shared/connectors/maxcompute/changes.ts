import {
  changeStamp,
  type MaxComputeClient,
  type PartitionMetadata,
  type TableMetadata,
  type TableName,
} from '../../clients/maxcompute/index.ts';
import { idOf, sha256 } from '../../core/ids.ts';
import { canonicalJson } from '../../core/json.ts';
import { type CheckedMaxComputeOptions, parseSpec } from './options.ts';

/** How a table, or a partition of one, stands. */
export interface Standing {
  /** Equal texts, no change, if it is settled. */
  readonly stamp: string;
  /** False if something changed so shortly before that another change may have the same time. */
  readonly isSettled: boolean;
}

/** Asks how a table stands, without opening a session. */
export class TableStanding {
  readonly table: TableMetadata;
  readonly #now: Date;
  /** Of what is more than rows: a table that was made anew, or has other columns. */
  readonly #shape: string;

  constructor(table: TableMetadata, now: Date) {
    this.table = table;
    // Of two clocks the slower one is believed: at worst something is read once more.
    this.#now = table.answeredAt && table.answeredAt < now ? table.answeredAt : now;
    const columns = [table.columns, table.partitionKeys].map((some) => some.map(({ name, type }) => [name, type]));
    this.#shape = idOf(table.tableId ?? '', canonicalJson(columns));
  }

  /** Of a table without partitions. */
  whole(): Standing {
    const { text, isSettled } = changeStamp(this.table, this.#now);
    return { stamp: `${text} ${this.#shape}`, isSettled };
  }

  ofPartition(partition: PartitionMetadata): Standing {
    const { text, isSettled } = changeStamp(partition, this.#now);
    return { stamp: `${text} ${this.#shape}`, isSettled };
  }

  /** Of all partitions together that are wanted. */
  async ofPartitions(partitions: AsyncIterable<PartitionMetadata>): Promise<Standing> {
    const hash = sha256();
    let isSettled = true;
    let count = 0;
    for await (const partition of partitions) {
      const stamp = changeStamp(partition, this.#now);
      isSettled &&= stamp.isSettled;
      hash.update(canonicalJson([partition.spec, stamp.text]));
      count += 1;
    }
    const digest = hash.digest('base64url').slice(0, 16);
    return { stamp: `${count} partitions ${digest} ${this.#shape}`, isSettled };
  }
}

/** The partitions that are wanted, as the service lists them. */
export async function* wantedPartitions(
  client: MaxComputeClient,
  name: TableName,
  { partitions = [] }: Pick<CheckedMaxComputeOptions, 'partitions'>,
  signal: AbortSignal,
): AsyncGenerator<PartitionMetadata> {
  const wanted = partitions.map((spec) => [...(parseSpec(spec) ?? [])]);
  for await (const partition of client.listPartitions(name, { signal })) {
    const isWanted = (levels: readonly (readonly [string, string])[]) =>
      levels.every(([level, value]) => partition.values[level] === value);
    if (wanted.length === 0 || wanted.some(isWanted)) yield partition;
  }
}

/** How the table stands as far as it is wanted. */
export async function standingOf(
  client: MaxComputeClient,
  name: TableName,
  options: CheckedMaxComputeOptions,
  at: TableStanding,
  signal: AbortSignal,
): Promise<Standing> {
  if (at.table.partitionKeys.length === 0) return at.whole();
  return at.ofPartitions(wantedPartitions(client, name, options, signal));
}
