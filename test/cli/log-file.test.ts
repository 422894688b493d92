import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { LogFile } from '../../cli/log-file.ts';
import { MIB } from '../../shared/core/units.ts';

function aFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'log-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

it('is made at the first line, with its folder', () => {
  const path = join(aFolder(), 'logs', 'landfall.log');
  const log = new LogFile(path);
  const before = existsSync(path);

  log.write('one');
  log.write('two');
  log.close();

  expect(before).toBe(false);
  expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n');
});

it('gives way to another once it is large', () => {
  const path = join(aFolder(), 'landfall.log');
  writeFileSync(path, 'x'.repeat(10 * MIB));
  const log = new LogFile(path);

  log.write('one');
  log.close();

  expect(readFileSync(path, 'utf8')).toBe('one\n');
  expect(statSync(`${path}.1`).size).toBe(10 * MIB);
});

it('stops nothing if it cannot be written', () => {
  const folder = aFolder();
  writeFileSync(join(folder, 'logs'), 'a file where a folder should be');
  const log = new LogFile(join(folder, 'logs', 'landfall.log'));

  log.write('one');

  expect(() => log.close()).not.toThrow();
});
