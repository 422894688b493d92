import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BuildError, bundle } from '../../scripts/build.ts';
import type { PipelineCatalog } from '../../shared/pipelines/catalog.ts';
import { loadPipelines, pipelineFiles } from '../../shared/pipelines/folder.ts';
import type { awsSecrets } from '../../shared/secrets/aws.ts';

const ROOT = resolve(import.meta.dirname, '../..');
let folder: string;

beforeEach(() => {
  // Below the project, so that what a bundle leaves outside is found in node_modules.
  mkdirSync(join(ROOT, 'dist'), { recursive: true });
  folder = mkdtempSync(join(ROOT, 'dist/test-'));
  mkdirSync(join(folder, 'pipelines'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
});
afterEach(() => rmSync(folder, { recursive: true }));

const importOf = (names: string, path: string) => `import { ${names} } from ${JSON.stringify(join(ROOT, path))};\n`;
const DEFINE = importOf('definePipeline', 'shared/pipelines/define.ts');
const CODE = importOf('code', 'shared/connectors/code/code.ts');

const pipelineText = (name: string) => `${DEFINE}${CODE}
export default definePipeline({
  name: ${JSON.stringify(name)},
  source: code({
    context: () => null,
    listObjects: function* aLongNameThatIsMinified() { yield { name: 'one', fingerprint: '1', isPrefix: false }; },
    readBytes: () => 'bytes', // a comment that is not in the bundle
  }),
});
`;

const write = (name: string, text: string) => writeFileSync(join(folder, 'pipelines', name), text);

async function bundledPipelines(pipelines = join(folder, 'pipelines')): Promise<PipelineCatalog> {
  const outdir = join(folder, 'out');
  await bundle('functions/pipelines.ts', pipelineFiles(pipelines), outdir);
  const { openPipelines } = await import(pathToFileURL(join(outdir, 'index.js')).href);
  return openPipelines();
}

const versionsOf = async (catalog: PipelineCatalog) =>
  Promise.all((await catalog.names()).map(async (name) => [name, (await catalog.get(name)).versions]));

describe('the bundled pipelines', () => {
  it('are those of the folder, with the very versions they have there', async () => {
    write('plain.ts', pipelineText('plain'));
    write('windows.ts', pipelineText('windows').replaceAll('\n', '\r\n'));

    const bundled = await versionsOf(await bundledPipelines());

    expect(bundled.map(([name]) => name)).toEqual(['plain', 'windows']);
    expect(bundled).toEqual(await versionsOf(await loadPipelines(join(folder, 'pipelines'))));
  });

  it('are the examples, with the very versions they have in their folder', async () => {
    const bundled = await versionsOf(await bundledPipelines(join(ROOT, 'pipelines')));

    expect(bundled).toEqual(await versionsOf(await loadPipelines(join(ROOT, 'pipelines'))));
  });

  it('do not keep each other from loading', async () => {
    write('good.ts', pipelineText('good'));
    write('throws.ts', `${DEFINE}throw new RangeError('the list of tables is empty');`);
    write('other.ts', 'export default { name: "other" };');

    const catalog = await bundledPipelines();

    expect(await catalog.names()).toEqual(['good']);
    await expect(catalog.get('good')).resolves.toMatchObject({ name: 'good' });
    await expect(catalog.get('throws')).rejects.toMatchObject({
      code: 'InvalidPipeline',
      message: expect.stringContaining('throws.ts does not define a pipeline: the list of tables is empty'),
    });
    await expect(catalog.get('other')).rejects.toThrow('it must export default definePipeline');
  });

  it.each([
    [
      'imports what is not there',
      `import x from 'not-installed-anywhere'; export default x;`,
      'not-installed-anywhere',
    ],
    ['does not parse', 'export default {', 'broken.ts'],
  ])('fail the build where a file %s', async (_what, text, told) => {
    write('broken.ts', text);

    const building = bundledPipelines();

    await expect(building).rejects.toThrow(BuildError);
    await expect(building).rejects.toThrow(told);
  });
});

describe('the slimmed SDK', () => {
  it('still tells by name what Systems Manager answered', async () => {
    const server = createServer((_request, response) => {
      const body = JSON.stringify({ __type: 'ParameterNotFound', message: 'no such parameter' });
      response.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' }).end(body);
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const entry = join(folder, 'entry.ts');
    writeFileSync(
      entry,
      `export { awsSecrets } from ${JSON.stringify(join(ROOT, 'shared/secrets/aws.ts'))};
       export { SSMClient } from '@aws-sdk/client-ssm';`,
    );
    await bundle(entry, [], join(folder, 'out'));
    const bundled = await import(pathToFileURL(join(folder, 'out/index.js')).href);
    const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
    const ssm = new bundled.SSMClient({ region: 'us-east-1', endpoint, credentials });
    const secrets = (bundled.awsSecrets as typeof awsSecrets)({ ssm, secretsManager: ssm });

    await expect(secrets.get('ssm:landfall/x')).rejects.toMatchObject({ code: 'SecretMissing' });

    await new Promise((closed) => server.close(closed));
  });
});
