import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CrashWorld } from './world.ts';

/** On a small file system of its own, which takes root: as in continuous integration. */
let world: CrashWorld;
beforeEach(async () => {
  world = await CrashWorld.open(3);
  await mkdir(world.home);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', world.home]);
});
afterEach(async () => {
  execFileSync('umount', [world.home]);
  await world.remove();
});

describe('a disk that is full', () => {
  it('ends the run with its name, and the next run goes on once there is room', async () => {
    for (let file = 0; file < 40; file++)
      await writeFile(join(world.source, `f${file}.bin`), Buffer.alloc(400_000, file));

    const full = await world.run();

    expect(full.complaints + full.said).toMatch(/DiskFull|disk is full|no space/i);

    execFileSync('mount', ['-o', 'remount,size=100m', world.home]);
    await world.settle();
    await world.expectWhole();
  });
});
