import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The package's version: its package.json is some folders above, as the sources lie or as they are compiled. */
export function packageVersion(): string {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = readManifest(join(folder, 'package.json'));
    if (manifest?.name === 'landfall') return manifest.version;
  }
  return 'unknown';
}

function readManifest(path: string): { name: string; version: string } | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
