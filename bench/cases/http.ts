import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { http } from '../../shared/connectors/http/http.ts';
import { definePipeline } from '../../shared/pipelines/define.ts';
import { beside, firstLine } from '../background.ts';
import { openEmbeddedIn, refresh } from '../landfall.ts';
import { LARGE_NAME, largeFolderIn, makeLargeObject, mibPerSecond } from '../large-object.ts';
import { type BenchCase, type Figures, findCommand, RUN, runCommand, timed } from '../measure.ts';

const CURL = 'curl -o, then sync';

/** Serves the object by a process of its own, and gives a folder of its own to write to. */
async function served(folder: string, work: (url: string, target: string) => Promise<Figures>): Promise<Figures> {
  const target = await mkdtemp(join(folder, RUN));
  // What was written before is not to be written during the measurement.
  await runCommand('sync', []);
  const serve = fileURLToPath(new URL('../serve.ts', import.meta.url));
  try {
    return await beside(process.execPath, [serve, largeFolderIn(folder)], firstLine, (url) =>
      work(`${url}/${LARGE_NAME}`, target),
    );
  } finally {
    await rm(target, { recursive: true });
  }
}

export const httpObject: BenchCase = {
  name: 'http',
  what: 'landing one 2 GiB object over local HTTP, hash and fsync included',
  prepared: 'large',
  runs: 5,
  targets: [
    { figure: 'ratioToCurl', atLeast: 0.7 },
    { figure: 'peakRssMib', atMost: 200 },
  ],
  notes: ['the object is served by local/servers/static in a process of its own'],
  async prepare(folder) {
    await makeLargeObject(folder);
    return {};
  },
  measure: (folder) =>
    served(folder, async (url, target) => {
      const pipeline = definePipeline({ name: 'bench', source: http({ urls: [url] }) });
      const figures = await refresh(pipeline, () => openEmbeddedIn(target));
      return { ...figures, ...mibPerSecond(figures.seconds) };
    }),
  peers: [
    {
      name: CURL,
      missing: async () => ((await findCommand('curl')) ? undefined : 'curl is not installed'),
      run: (folder) =>
        served(folder, async (url, target) => {
          const args = ['-c', 'curl -sSf -o "$2" "$1" && sync "$2"', 'sh', url, join(target, LARGE_NAME)];
          const { seconds } = await timed(() => runCommand('sh', args));
          return mibPerSecond(seconds);
        }),
    },
  ],
  compare(own, peers): Figures {
    const curl = peers[CURL];
    return curl ? { ratioToCurl: own.mibPerSecond! / curl.mibPerSecond! } : {};
  },
};
