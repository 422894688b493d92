/** One line of the core, broken on purpose. */
export interface Mutant {
  readonly name: string;
  /** It shows in what is left for good, and breaks no promise to a reader. */
  readonly leaks?: true;
  /** Below `shared/`. */
  readonly file: string;
  /** A text that is there once, and what it becomes. */
  readonly line: string;
  readonly becomes: string;
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'commit whatever is due, in whatever plan',
    file: 'partitions/store.ts',
    line: "const condition = [equals('plan', plan), equals('due', due), own];",
    becomes: 'const condition = [own];',
  },
  {
    name: 'commit before the upload is complete',
    file: 'refresh/read-partition.ts',
    line: 'this.#segments.length === 0)) await this.#closeSegment();',
    becomes: 'this.#segments.length === 0)) void this.#closeSegment();',
  },
  {
    name: 'removal after an incomplete listing',
    file: 'listing/list-node.ts',
    line: '    throw new ListingFailedError(path, error);',
    becomes: '    return { complete: true };',
  },
  {
    name: 'digest kept while a plan is open',
    file: 'nodes/store.ts',
    line: "'retaken', ...(agrees ? [] : ['digest'])]",
    becomes: "'retaken']",
  },
  {
    name: 'parent rebuilt by run only',
    file: 'refresh/completion.ts',
    line: 'shard.childChanged >= shard.built',
    becomes: 'shard.childChanged === runOf(plan)',
  },
  {
    name: 'manifest from the parts of this run',
    file: 'refresh/completion.ts',
    line: 'ordered.flatMap(({ shard, part }) => (part ?',
    becomes: 'ordered.flatMap(({ shard, part, built }) => (part && built === run ?',
  },
  {
    name: 'key without its take',
    file: 'landing/keys.ts',
    line: '-${take}',
    becomes: '',
  },
  {
    name: 'run ended without condition',
    file: 'runs/store.ts',
    line: "[equals('active', run), ...samePending(seen)]",
    becomes: '[]',
  },
  {
    name: 'publish without etag',
    file: 'refresh/publish.ts',
    line: 'before ? { ifMatch: before.etag } : { ifAbsent: true };',
    becomes: '{};',
  },
  {
    name: 'garbage without a second look',
    file: 'refresh/collect.ts',
    line: 'left = left.filter((key) => !named.keys.has(key));',
    becomes: '',
  },
  {
    name: 'garbage while a manifest still shows it',
    file: 'refresh/collect.ts',
    line: '    if (garbage.putOff) return carryOut();',
    becomes: '    return carryOut();',
  },
  {
    name: 'feed position before its plan',
    file: 'refresh/plan-feed.ts',
    line: "{ state: 'PLANNED', lease }",
    becomes: "{ state: 'PLANNED', lease, feed: next }",
  },
  {
    name: 'feed listed at an old position',
    file: 'nodes/store.ts',
    line: '...(feed ? { increment: { version: 1 } } : {})',
    becomes: '',
  },
  {
    name: 'feed acknowledged over a gap',
    file: 'refresh/part.ts',
    line: 'item.number! < gap && ',
    becomes: '',
  },
  {
    name: 'any mark counts',
    file: 'refresh/part.ts',
    line: 'const counts = item.plan === shard.diffed;',
    becomes: 'const counts = true;',
  },
  {
    name: 'plan opened on any version',
    file: 'nodes/store.ts',
    line: "[version === 0 ? absent('version') : equals('version', version)]",
    becomes: '[]',
  },
  {
    name: 'removed before it is completed',
    file: 'partitions/diff.ts',
    line: "if (!keeps) return 'gone';",
    becomes: "if (!keeps) return 'delete';",
  },
  {
    name: 'mark that was not carried out deleted, not made anew',
    file: 'partitions/diff.ts',
    line: "if (wasRemoved(item, carried)) return 'delete';",
    becomes: "if (item.gone) return 'delete';",
  },
  {
    name: 'a mark brings back what was deleted',
    file: 'partitions/store.ts',
    line: "marked, [atMost('plan', plan)]);",
    becomes: 'marked, []);',
  },
  {
    name: 'sweep without resending',
    file: 'refresh/walk.ts',
    line: '    this.#sent += 1;',
    becomes: '    if (this.#sent >= 0) return;',
  },
  {
    name: 'group done though another take reads it',
    file: 'refresh/read-group.ts',
    line: 'if (this.#runOver || this.#overtaken) return;',
    becomes: 'if (this.#runOver) return;',
  },
  {
    name: 'end of a run overwritten by the next',
    file: 'runs/store.ts',
    line: 'if (seen.ended) await this.closeRecord(pipeline, seen.ended);',
    becomes: '',
  },
  {
    name: 'failed root that does not end its run',
    file: 'refresh/publish.ts',
    line: 'if (isDone && root.error)',
    becomes: 'if (false)',
  },
  {
    name: 'generation replaced before it has landed',
    file: 'refresh/feed-view.ts',
    line: 'length: Math.max(0, to - from)',
    becomes: 'length: 0',
  },
  {
    name: 'failure that a feed does not forget',
    file: 'refresh/plan-feed.ts',
    line: 'if (!shows.unchanged) return false;',
    becomes: 'if (!shows.same) return false;',
  },
  {
    name: 'leftovers deleted although a newer plan wrote them',
    file: 'refresh/plan-feed.ts',
    line: 'if (items.some((item) => item.plan > plan)) throw new PlanSupersededError();',
    becomes: '',
  },
  {
    name: 'child node named by its name alone',
    file: 'refresh/plan-shard.ts',
    line: "return idOf(this.#key.node, kind, name, kind === 'job' ? this.#plan : String(this.#task.run));",
    becomes: 'return idOf(this.#key.node, kind, name);',
  },
  {
    name: 'older run published',
    file: 'refresh/publish.ts',
    line: 'if (before && before.latest.run > run)',
    becomes: 'if (false)',
  },
  {
    name: 'record due again that has landed meanwhile',
    file: 'partitions/store.ts',
    line: "[atMost('plan', plan), asRead]",
    becomes: "[atMost('plan', plan)]",
  },
  {
    name: 'trusted child of which nobody is told',
    file: 'refresh/plan-shard.ts',
    line: 'if (changed > childChanged) this.#childChanged = changed;',
    becomes: '',
  },
  {
    name: 'landed with the code that completes it',
    file: 'refresh/completion.ts',
    line: 'landedWith(node, ordered) ?? versions',
    becomes: 'versions',
  },
  {
    name: 'forced although it was dropped',
    file: 'refresh/plan-feed.ts',
    line: '&& item.landed && item.landed.run !== task.run;',
    becomes: '&& item.landed?.run !== task.run;',
  },
  {
    name: 'dropped by age only once',
    file: 'refresh/plan-feed.ts',
    line: 'if (wasRemoved(item, shard.carried)) return true;',
    becomes: 'if (item.gone) return item.plan === shard.carried || item.number! < keep.from;',
  },
  {
    name: 'gap where somebody has it read again',
    file: 'refresh/part.ts',
    line: 'const lacks = !entry || unfinished !== undefined;',
    becomes: 'const lacks = open || !entry;',
  },
  {
    name: 'given up without a word of what its reads left',
    leaks: true,
    file: 'operations/control.ts',
    line: 'await writeGarbage(deps.objects, pipeline, run, await orphansOfMarks(key, [item], GIVEN_UP, deps));',
    becomes: '',
  },
  {
    name: 'long read gone on with in another plan without a fingerprint',
    file: 'refresh/plan-shard.ts',
    line: "const isSame = fingerprint !== '' && progress?.fingerprint === fingerprint;",
    becomes: 'const isSame = progress?.fingerprint === fingerprint;',
  },
  {
    name: 'layout forgotten that a slower planner still writes to',
    leaks: true,
    file: 'refresh/plan-folder.ts',
    line: 'if (layout !== present && node)',
    becomes: 'if (layout !== present && layout.from)',
  },
  {
    name: 'nodes and objects of a replaced layout forgotten',
    leaks: true,
    file: 'refresh/collect.ts',
    line: 'await this.#strays(key, plan);',
    becomes: '',
  },
];
