import { buildFunctions, importMs } from '../../scripts/build.ts';
import type { BenchCase } from '../measure.ts';

export const functionBundles: BenchCase = {
  name: 'bundles',
  what: 'bundle and import time of each function: the largest and the slowest',
  runs: 1,
  targets: [
    { figure: 'largestStartKb', atMost: 300 },
    { figure: 'largestKb', atMost: 1300 },
    { figure: 'slowestImportMs', atMost: 100 },
  ],
  notes: [
    'all files of a bundle together, with a pipeline over files and one over HTTP, and what of it is loaded at the start; the median of 11 imports, each in a new process',
  ],
  async measure(folder) {
    const figures: Record<string, number> = {};
    const built = await buildFunctions({ outdir: folder, pipelines: 'test/fixtures/bundle-pipelines' });
    for (const { name, bytes, startBytes, file } of built) {
      figures[`${name} startKb`] = startBytes / 1000;
      figures[`${name} kB`] = bytes / 1000;
      figures[`${name} importMs`] = await importMs(file);
    }
    const largest = (unit: string) => Math.max(...built.map(({ name }) => figures[`${name} ${unit}`]!));
    return {
      ...figures,
      largestStartKb: largest('startKb'),
      largestKb: largest('kB'),
      slowestImportMs: largest('importMs'),
    };
  },
};
