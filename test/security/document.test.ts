import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const TEXT = readFileSync(join(ROOT, 'docs/security.md'), 'utf8');

/** The lines of tables whose last column is headed `test`: what they are about, and the files that they name. */
const LINES = TEXT.split(/\n\n/)
  .filter((block) => /^\|.*\| test \|$/m.test(block))
  .flatMap((block) => block.trim().split('\n').slice(2))
  .map((line) => {
    const cells = line.split(' | ');
    return { about: cells[0]!.slice(2), files: [...cells.at(-1)!.matchAll(/`([^`]+)`/g)].map(([, file]) => file!) };
  });

describe('the threat model', () => {
  it.each(LINES)('names tests that are there: $about', ({ files }) => {
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      expect(existsSync(join(ROOT, file)), file).toBe(true);
      expect(file).toMatch(/^test\/.+\.ts$/);
    }
  });

  it('has a line for every test of this folder', () => {
    const named = new Set(LINES.flatMap(({ files }) => files));
    const own = globSync('test/security/*.test.ts', { cwd: ROOT }).filter((file) => !file.endsWith('document.test.ts'));

    expect(own.length).toBeGreaterThan(5);
    expect(own.filter((file) => !named.has(file))).toEqual([]);
  });
});
