// Bundles each function for Lambda into dist/<function>/: index.js, the chunks it loads when they are needed (each pipeline,
// for one), and a package.json that makes them ES modules.
// `npm run build` builds; `npm run build -- --report` also tells what the bundles are made of and how long they load.
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';
import { pipelineFiles } from '../shared/pipelines/folder.ts';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const DIST = join(ROOT, 'dist');

// What is CommonJS among the dependencies asks for Node's own modules by `require`, which ESM does not have.
const BANNER = `import{createRequire}from'node:module';const require=createRequire(import.meta.url);`;

/**
 * What the SDK loads only where Lambda's own credentials are missing, or in a browser. Under `invoke local` it is found in
 * node_modules.
 */
const NOT_ON_LAMBDA = [
  '@aws-sdk/credential-provider-ini',
  '@aws-sdk/credential-provider-process',
  '@aws-sdk/credential-provider-sso',
  '@aws-sdk/credential-provider-web-identity',
  'bowser',
];

/** A function is a folder of `functions/` with a handler. */
export function functionNames() {
  return readdirSync(join(ROOT, 'functions'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

/**
 * Builds functions and returns what esbuild tells about each bundle.
 *
 * @param options.pipelines the folder whose pipelines are bundled; default `pipelines` of the project
 * @throws {BuildError} a file does not parse, or imports what is not there
 */
export async function buildFunctions({ names = functionNames(), pipelines = 'pipelines', outdir = DIST } = {}) {
  const built = await Promise.all(
    names.map(async (name) => {
      const folder = join(outdir, name);
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'package.json'), '{"type":"module"}\n');
      return { name, ...(await buildFunction(name, pipelines, folder)) };
    }),
  );
  return built;
}

async function buildFunction(name, pipelines, folder) {
  try {
    const { metafile } = await esbuild.build({
      absWorkingDir: ROOT,
      entryPoints: { index: `functions/${name}/handler.ts` },
      outdir: folder,
      chunkNames: 'chunks/[name]-[hash]',
      bundle: true,
      splitting: true,
      minify: true,
      format: 'esm',
      platform: 'node',
      target: 'node24',
      // The SDK's ES modules can be cut down to what is used, its CommonJS builds cannot.
      mainFields: ['module', 'main'],
      external: NOT_ON_LAMBDA,
      banner: { js: BANNER },
      legalComments: 'none',
      metafile: true,
      logLevel: 'silent',
      plugins: [bundledPipelines(pipelines), slimSdk],
    });
    const outputs = Object.values(metafile.outputs);
    const bytes = outputs.reduce((sum, output) => sum + output.bytes, 0);
    return { file: join(folder, 'index.js'), bytes, parts: partsOf(outputs) };
  } catch (error) {
    if (!Array.isArray(error.errors)) throw error;
    const told = await esbuild.formatMessages(error.errors, { kind: 'error', color: false });
    throw new BuildError(`${name} cannot be bundled:\n${told.join('')}`, { cause: error });
  }
}

export class BuildError extends Error {
  name = 'BuildError';
}

/** Puts a module that names every pipeline of the folder in the place of `functions/pipelines.ts`, which reads the folder. */
function bundledPipelines(folder) {
  return {
    name: 'pipelines',
    setup(build) {
      build.onLoad({ filter: /[\\/]functions[\\/]pipelines\.ts$/ }, () => {
        const files = pipelineFiles(resolve(ROOT, folder));
        return {
          contents: pipelinesModule(files),
          loader: 'ts',
          resolveDir: join(ROOT, 'functions'),
          watchFiles: files.map(({ file }) => file),
        };
      });
    },
  };
}

/** Each file is imported when the catalog is opened, not with the bundle, so that one that throws takes no other along. */
function pipelinesModule(files) {
  const entries = files.map(({ file, fileSha256 }) => {
    const name = relative(ROOT, file).replaceAll('\\', '/');
    return `  loadPipeline(${JSON.stringify(name)}, '${fileSha256}', () => import(${JSON.stringify(file)})),`;
  });
  return [
    `import { catalogOf } from '../shared/pipelines/catalog.ts';`,
    `import { loadPipeline } from '../shared/pipelines/file.ts';`,
    'export const openPipelines = async () => catalogOf(await Promise.all([',
    ...entries,
    ']));',
  ].join('\n');
}

/**
 * Lets esbuild leave out of an SDK client what no command in use needs: an array with computed keys counts as a side effect
 * unless a pure call makes it. Of Systems Manager, whose errors are half of it, none is registered: they keep name and
 * message, and nothing here asks for their classes. Where a later SDK is written otherwise, the bundle is only larger.
 */
const slimSdk = {
  name: 'slim-sdk',
  setup(build) {
    build.onLoad({ filter: /[\\/]@aws-sdk[\\/]client-[\w-]+[\\/]dist-es[\\/]schemas[\\/]schemas_\d+\.js$/ }, ({ path }) => {
      let contents = readFileSync(path, 'utf8').replaceAll(
        /^((?:export )?var \w+\$ =) (\[[\s\S]*?\n?\]);$/gm,
        '$1 /* @__PURE__ */ (() => $2)();',
      );
      if (path.includes('client-ssm'))
        contents = contents.replaceAll(/^n0_registry\.registerError\(.*\);$/gm, '');
      return { contents, loader: 'js' };
    });
  },
};

/** Bytes of a bundle by package, or by top-level folder of ours; the largest first. */
function partsOf(outputs) {
  const sums = new Map();
  for (const [path, { bytesInOutput }] of outputs.flatMap(({ inputs }) => Object.entries(inputs))) {
    const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? path.split('/')[0];
    sums.set(name, (sums.get(name) ?? 0) + bytesInOutput);
  }
  return [...sums].map(([name, bytes]) => ({ name, bytes })).sort((a, b) => b.bytes - a.bytes);
}

/** How long a fresh process takes to import a bundle: the median of several, in milliseconds. */
export async function importMs(file, { times = 11 } = {}) {
  const code = `const began = performance.now(); await import(${JSON.stringify(pathToFileURL(file).href)}); console.log(performance.now() - began);`;
  const took = [];
  for (let n = 0; n < times; n++) {
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code]);
    took.push(Number(stdout));
  }
  return took.sort((a, b) => a - b)[Math.floor(times / 2)];
}

async function main() {
  const { values } = parseArgs({ options: { report: { type: 'boolean', default: false } } });
  const built = await buildFunctions();
  for (const { name, bytes, file, parts } of built) {
    const size = `${(bytes / 1000).toFixed(1)} kB`;
    const took = values.report ? `, imported in ${(await importMs(file)).toFixed(0)} ms (median of 11)` : '';
    console.log(`${relative(ROOT, file)}  ${size}${took}`);
    if (!values.report) continue;
    for (const part of parts.slice(0, 60)) console.log(`  ${(part.bytes / 1000).toFixed(1).padStart(7)} kB  ${part.name}`);
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof BuildError) && error.code !== 'InvalidPipeline') throw error;
    console.error(`build: ${error.message}`);
    process.exitCode = 1;
  }
}
