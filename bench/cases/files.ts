import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { files } from '../../shared/connectors/files/files.ts';
import { definePipeline } from '../../shared/pipelines/define.ts';
import { openEmbeddedIn, refresh } from '../landfall.ts';
import { type BenchCase, type Figures, findCommand, RUN, runCommand, timed } from '../measure.ts';

const FOLDERS = 100;
const FILES = 100;
const FILE_BYTES = 1024;

const sourceIn = (folder: string) => join(folder, 'source');

/**
 * Makes a folder for one run. It stays until the bench has ended: for minutes after many files were deleted, ext4 makes new
 * ones a hundred times more slowly.
 */
async function inNewFolder(folder: string, work: (target: string) => Promise<Figures>): Promise<Figures> {
  const target = await mkdtemp(join(folder, RUN));
  // What was written before is not to be written during the measurement.
  await runCommand('sync', []);
  return work(target);
}

const perSecond = (seconds: number) => ({ seconds, partitionsPerSecond: (FOLDERS * FILES) / seconds });

const copies = (command: string) => (folder: string) =>
  inNewFolder(folder, async (target) => {
    const args = ['-c', command, 'sh', sourceIn(folder), join(target, 'copy')];
    const { seconds } = await timed(() => runCommand('sh', args));
    return perSecond(seconds);
  });

export const smallFiles: BenchCase = {
  name: 'files',
  what: 'first refresh of 10,000 files of 1 KiB to their manifest',
  runs: 5,
  targets: [{ figure: 'partitionsPerSecond', atLeast: 1000 }],
  notes: ['100 folders of 100 files; each file, each directory entry and each write of a table is fsynced'],
  async prepare(folder) {
    for (let at = 0; at < FOLDERS; at++) {
      const below = join(sourceIn(folder), `folder-${at}`);
      await mkdir(below, { recursive: true });
      for (let file = 0; file < FILES; file++) {
        await writeFile(join(below, `file-${file}.csv`), randomBytes(FILE_BYTES));
      }
    }
    return {};
  },
  measure: (folder) =>
    inNewFolder(folder, async (target) => {
      const pipeline = definePipeline({ name: 'bench', source: files({ folder: sourceIn(folder) }) });
      const figures = await refresh(pipeline, () => openEmbeddedIn(target));
      if (figures.landed !== FOLDERS * FILES) throw new Error(`${figures.landed} files landed`);
      return { ...figures, ...perSecond(figures.seconds) };
    }),
  peers: [
    { name: 'cp -r', run: copies('cp -r "$1" "$2"') },
    { name: 'cp -r, each file fsynced', run: copies('cp -r "$1" "$2" && find "$2" -exec sync {} +') },
    {
      name: 'rclone copy',
      missing: async () => ((await findCommand('rclone')) ? undefined : 'rclone is not installed'),
      run: copies('rclone copy "$1" "$2"'),
    },
  ],
};
