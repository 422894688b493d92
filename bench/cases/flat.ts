import { openEmbeddedIn, refresh } from '../landfall.ts';
import type { BenchCase, Figures } from '../measure.ts';
import { syntheticPipeline, withoutData } from '../synthetic.ts';

const FLAT = { prefixes: 0, leaves: 1_000_000 };
const CHANGED = 10;

async function prepare(folder: string): Promise<Figures> {
  const first = await refresh(syntheticPipeline(FLAT), () => withoutData(openEmbeddedIn(folder)));
  const { seconds, tableReads, manifestBytes } = first;
  return { firstPassSeconds: seconds, firstPassTableReads: tableReads, firstPassManifestBytes: manifestBytes };
}

const notes = ['prepared by a first refresh whose landed bytes were dropped; its tables and manifests are as always'];

export const flat: BenchCase = {
  name: 'flat',
  what: 'the same, flat: one prefix with 1,000,000 leaves',
  prepared: 'flat',
  runs: 5,
  targets: [
    { figure: 'seconds', atMost: 8 },
    { figure: 'peakRssMib', atMost: 300 },
    { figure: 'tableReads', atMost: 10 },
  ],
  notes,
  prepare,
  measure: (folder) => refresh(syntheticPipeline(FLAT), () => openEmbeddedIn(folder)),
};

export const flatChanged: BenchCase = {
  name: 'flat-changed',
  what: 'the same, flat, 10 leaves changed',
  prepared: 'flat',
  runs: 5,
  targets: [
    { figure: 'seconds', atMost: 10 },
    { figure: 'tableReadsPercent', atMost: 3 },
    { figure: 'manifestBytesPercent', atMost: 3 },
  ],
  notes,
  prepare,
  async measure(folder, { firstPassTableReads, firstPassManifestBytes }) {
    // Another version each time: otherwise the second run would find nothing changed.
    const changed = { leaves: CHANGED, version: `at-${Date.now()}` };
    const figures = await refresh(syntheticPipeline({ ...FLAT, changed }), () => openEmbeddedIn(folder));
    if (figures.landed !== CHANGED) throw new Error(`${figures.landed} partitions landed`);
    return {
      ...figures,
      tableReadsPercent: (100 * figures.tableReads) / firstPassTableReads!,
      manifestBytesPercent: (100 * figures.manifestBytes) / firstPassManifestBytes!,
    };
  },
};
