import { openEmbeddedIn, refresh } from '../landfall.ts';
import type { BenchCase } from '../measure.ts';
import { syntheticPipeline, withoutData } from '../synthetic.ts';

const PREFIXES = 1000;
const LEAVES = 1000;

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
  notes: ['prepared by a first refresh whose landed bytes were dropped; its tables and manifests are as always'],
  async prepare(folder) {
    const { seconds } = await refresh(syntheticPipeline({ prefixes: PREFIXES, leaves: LEAVES }), () =>
      withoutData(openEmbeddedIn(folder)),
    );
    return { firstPassSeconds: seconds };
  },
  async measure(folder) {
    const figures = await refresh(syntheticPipeline({ prefixes: PREFIXES, leaves: LEAVES }), () =>
      openEmbeddedIn(folder),
    );
    const { tableReads, tableWrites } = figures;
    // The root is a node too, and a run has a few requests of its own.
    return { ...figures, readsPerPrefix: tableReads / PREFIXES, writesPerPrefix: tableWrites / PREFIXES };
  },
};
