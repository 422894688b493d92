import { openEmbeddedIn, refresh } from '../landfall.ts';
import type { BenchCase } from '../measure.ts';
import { syntheticPipeline, withoutData } from '../synthetic.ts';

const MANY = { prefixes: 1000, leaves: 1000 };
/** What a run costs by itself shows beside the same with few prefixes. */
const FEW = { prefixes: 10, leaves: 10, name: 'bench-few' };

export const prefixes: BenchCase = {
  name: 'prefixes',
  what: 'refresh of 1,000,000 unchanged partitions under 1,000 prefixes',
  runs: 5,
  targets: [
    { figure: 'seconds', atMost: 15 },
    { figure: 'peakRssMib', atMost: 300 },
    { figure: 'readsPerPrefix', atMost: 2 },
    { figure: 'writesPerPrefix', atMost: 2 },
    { figure: 'readMessages', atMost: 0 },
  ],
  notes: [
    'reads and writes a prefix: what 1,000 take beyond what 10 take, by the prefixes between',
    'prepared by a first refresh whose landed bytes were dropped; its tables and manifests are as always',
  ],
  async prepare(folder) {
    const { seconds } = await refresh(syntheticPipeline(MANY), () => withoutData(openEmbeddedIn(folder)));
    await refresh(syntheticPipeline(FEW), () => withoutData(openEmbeddedIn(folder)));
    const few = await refresh(syntheticPipeline(FEW), () => openEmbeddedIn(folder));
    return { firstPassSeconds: seconds, fewTableReads: few.tableReads, fewTableWrites: few.tableWrites };
  },
  async measure(folder, { fewTableReads, fewTableWrites }) {
    const figures = await refresh(syntheticPipeline(MANY), () => openEmbeddedIn(folder));
    const perPrefix = (many: number, few: number) => (many - few) / (MANY.prefixes - FEW.prefixes);
    return {
      ...figures,
      readsPerPrefix: perPrefix(figures.tableReads, fewTableReads!),
      writesPerPrefix: perPrefix(figures.tableWrites, fewTableWrites!),
    };
  },
};
