import { buildFunctions, importMs } from '../../scripts/build.ts';
import type { BenchCase } from '../measure.ts';

export const functionBundles: BenchCase = {
  name: 'bundles',
  what: 'bundle and import time of each function: the largest and the slowest',
  runs: 1,
  targets: [
    { figure: 'largestKb', atMost: 750 },
    { figure: 'slowestImportMs', atMost: 100 },
  ],
  notes: [
    'all files of a bundle together, with a pipeline over files and one over HTTP; the median of 11 imports, each in a new process',
  ],
  async measure(folder) {
    const figures: Record<string, number> = {};
    const built = await buildFunctions({ outdir: folder, pipelines: 'test/fixtures/bundle-pipelines' });
    for (const { name, bytes, file } of built) {
      figures[`${name} kB`] = bytes / 1000;
      figures[`${name} importMs`] = await importMs(file);
    }
    const largest = (unit: string) => Math.max(...built.map(({ name }) => figures[`${name} ${unit}`]!));
    return { ...figures, largestKb: largest('kB'), slowestImportMs: largest('importMs') };
  },
};
