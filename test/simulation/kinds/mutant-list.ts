import type { Mutant } from '../mutant-list.ts';
import type { KindName } from './kind.ts';

/** One line of what the kinds of pipelines are made of, broken on purpose. */
export interface KindMutant extends Mutant {
  /** The histories that are to find it. */
  readonly kind: KindName;
}

export const KIND_MUTANTS: readonly KindMutant[] = [
  {
    name: 'a start that was used is used again',
    kind: 'jobs',
    file: 'jobs/create.ts',
    line: "deps.jobs.note(job, { tried: true }, ['slotAt'])",
    becomes: 'deps.jobs.note(job, { tried: true })',
  },
  {
    name: 'watermark of the node though its shards know more',
    kind: 'jobs',
    file: 'refresh/feed-progress.ts',
    line: 'position ?? node.landedPosition',
    becomes: 'node.landedPosition',
  },
  {
    name: 'a job counts as landed before its shard knows',
    kind: 'jobs',
    file: 'refresh/feed-progress.ts',
    line: 'hasLanded(shard, item.number!) && ',
    becomes: '',
  },
  {
    name: 'an increment is asked for while another is outstanding',
    kind: 'jobs',
    file: 'connectors/dap/listing.ts',
    line: "if (last && !NEEDS_SNAPSHOT.has(last.error?.code ?? '')) return;",
    becomes: 'if (last?.error) return;',
  },
  {
    name: 'a job that is over stays on the list',
    kind: 'jobs',
    file: 'jobs/executor.ts',
    line: '  await deps.jobs.told(job);\n  const',
    becomes: '  const',
  },
  {
    name: 'records that aged out are passed over in silence',
    kind: 'feeds',
    file: 'connectors/dis/reading.ts',
    line: 'if (from < end) this.#lost.push({ from, to: end });',
    becomes: 'void end;',
  },
  {
    name: 'checkpoint one record ahead',
    kind: 'feeds',
    file: 'connectors/dis/checkpoint.ts',
    line: 'const sequenceNumber = BigInt(position.next) - 1n;',
    becomes: 'const sequenceNumber = BigInt(position.next);',
  },
  {
    name: 'a range ends before it is read to its end',
    kind: 'feeds',
    file: 'connectors/dis/reading.ts',
    line: 'this.next = records.at(-1)!.sequenceNumber + 1n;',
    becomes: 'this.next = records.at(-1)!.sequenceNumber + 2n;',
  },
  {
    name: 'a stamp counts though it is too young',
    kind: 'splits',
    file: 'connectors/maxcompute/incremental.ts',
    line: 'stamp: isSettled ? stamp : null',
    becomes: 'stamp',
  },
  {
    name: 'what a job made anew is removed with what it made before',
    kind: 'splits',
    file: 'uploads/diff.ts',
    line: '    else yield* this.#folders(old, now, within);',
    becomes:
      '    else if (old && now && old.node !== now.node) {\n      yield* this.#folders(undefined, now, within);\n' +
      '      yield* this.#folders(old, undefined, within);\n    } else yield* this.#folders(old, now, within);',
  },
  {
    name: 'progress kept now and then where a repeat does harm',
    kind: 'sinks',
    file: 'uploads/progress.ts',
    line: 'if (this.#strict || isDue)',
    becomes: 'if (isDue)',
  },
  {
    name: 'changes that are in are uploaded again',
    kind: 'sinks',
    file: 'uploads/upload.ts',
    line: '      if (this.#progress.isDone(at)) continue;',
    becomes: '',
  },
  {
    name: 'another target in the midst of a transition',
    kind: 'sinks',
    file: 'uploads/upload.ts',
    line: 'const target = hasBegun(record)',
    becomes: 'const target = false',
  },
  {
    name: 'rows that are in the stream are written again',
    kind: 'sinks',
    file: 'sinks/maxcompute/rows.ts',
    line: 'const skipped = Math.min(there, fitting.rows.length);',
    becomes: 'const skipped = 0;',
  },
  {
    name: 'a session that is gone counts as not committed',
    kind: 'sinks',
    file: 'sinks/maxcompute/commit.ts',
    line: 'if (isFirst) throw',
    becomes: 'if (committing) throw',
  },
  {
    name: 'records noted as stored that were not',
    kind: 'sinks',
    file: 'sinks/dis/window.ts',
    line: 'while (this.#settled[this.#done]) this.#done += 1;',
    becomes: 'this.#done = this.#settled.length;',
  },
  {
    name: 'sinks whose message was lost are left alone',
    kind: 'sinks',
    file: 'uploads/wake.ts',
    line: '    await wakeSinks({ ...pipeline, sinks: [sink] }, deps);',
    becomes: '',
  },
];
