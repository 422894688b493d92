import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type BenchCase, median, runCommand } from '../measure.ts';

const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));
const IMPORTS = 11;

const bundles = (): string[] =>
  existsSync(DIST) ? readdirSync(DIST).filter((name) => existsSync(join(DIST, name, 'index.js'))) : [];

/** How long a new process takes to import a bundle, in milliseconds. */
async function importMs(bundle: string): Promise<number> {
  const url = JSON.stringify(pathToFileURL(join(DIST, bundle, 'index.js')).href);
  const script = `const began = performance.now(); await import(${url}); console.log(performance.now() - began); process.exit();`;
  const { stdout } = await runCommand(process.execPath, ['--input-type=module', '-e', script]);
  return Number(stdout.trim());
}

export const functionBundles: BenchCase = {
  name: 'bundles',
  what: 'bundle and import time of each function, the largest and the slowest',
  runs: 1,
  targets: [
    { figure: 'largestKb', atMost: 700 },
    { figure: 'slowestImportMs', atMost: 100 },
  ],
  notes: [`medians of ${IMPORTS} imports, each in a new process`],
  missing: async () => (bundles().length > 0 ? undefined : 'there are no bundles: npm run build makes dist/'),
  async measure() {
    const figures: Record<string, number> = {};
    for (const bundle of bundles()) {
      const times: number[] = [];
      for (let at = 0; at < IMPORTS; at++) times.push(await importMs(bundle));
      figures[`${bundle} kB`] = statSync(join(DIST, bundle, 'index.js')).size / 1000;
      figures[`${bundle} importMs`] = median(times);
    }
    const all = (unit: string) =>
      Object.entries(figures).flatMap(([name, value]) => (name.endsWith(unit) ? [value] : []));
    return { ...figures, largestKb: Math.max(...all(' kB')), slowestImportMs: Math.max(...all(' importMs')) };
  },
};
