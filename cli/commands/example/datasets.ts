import { existsSync } from 'node:fs';
import { startStaticServer } from '../../../local/servers/static/server.ts';
import { CommandError } from '../../errors.ts';
import type { Example } from './example.ts';

const DATASETS = 'node_modules/vega-datasets/data';

/** Real files: from a folder, and over HTTP from a web server of this machine. */
export async function datasetsExample(port: number): Promise<Example> {
  if (!existsSync(DATASETS)) {
    throw new CommandError(
      'ExampleMissing',
      `there is no ${DATASETS} here: run the example in Landfall's own folder, after npm ci`,
    );
  }
  const server = await serve(port);
  return {
    pipelines: ['vega-files', 'vega-http'],
    // The pipeline's file reads its address when it is loaded.
    env: { VEGA_DATASETS_URL: `${server.url}/` },
    close: () => server.close(),
  };
}

async function serve(port: number) {
  try {
    return await startStaticServer({ root: DATASETS, port });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    throw new CommandError(
      'PortTaken',
      `port ${port} of 127.0.0.1 is taken; choose another with --port (npm start -- --port ${port + 1}). The address is part of the source, so its files are read anew`,
      { cause },
    );
  }
}
