// Bundles each function for Lambda into dist/<function>/: index.js, the chunks it loads when they are needed (each pipeline,
// for one), and a package.json that makes them ES modules.
//
// `npm run build` builds; `npm run build -- --report` also tells what the bundles are made of and how long they load.
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import * as esbuild from 'esbuild';
import { type PipelineFile, pipelineFiles } from '../shared/pipelines/folder.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

export interface BuildOptions {
  /** Default: all of `functions/`. */
  readonly names?: readonly string[];
  /** The folder whose pipelines are bundled. Default `pipelines`. */
  readonly pipelines?: string;
  /** Gets a folder for each function. Default `dist`. */
  readonly outdir?: string;
}

export interface BuiltFunction {
  readonly name: string;
  readonly file: string;
  /** Of all files together. */
  readonly bytes: number;
  /** Of what is loaded when the function starts: the rest waits until a partition, a job or a sink needs it. */
  readonly startBytes: number;
  /** By package, or by top-level folder of ours; the largest first. */
  readonly parts: readonly { readonly name: string; readonly bytes: number }[];
}

/** @throws {BuildError} a file does not parse, or imports what is not there */
export async function buildFunctions({
  names = functionNames(),
  pipelines = 'pipelines',
  outdir = 'dist',
}: BuildOptions = {}): Promise<BuiltFunction[]> {
  const files = pipelineFiles(resolve(ROOT, pipelines));
  return Promise.all(
    names.map(async (name) => {
      const folder = resolve(ROOT, outdir, name);
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'package.json'), '{"type":"module"}\n');
      const outputs = await bundle(`functions/${name}/handler.ts`, files, folder);
      const all = Object.values(outputs);
      const entries = [`functions/${name}/handler.ts`, ...files.map(({ file }) => relative(ROOT, file))];
      return {
        name,
        file: join(folder, 'index.js'),
        bytes: all.reduce((sum, output) => sum + output.bytes, 0),
        startBytes: bytesAtStart(outputs, entries),
        parts: partsOf(all),
      };
    }),
  );
}

/** A function is a folder of `functions/`. */
export function functionNames(): string[] {
  const entries = readdirSync(join(ROOT, 'functions'), { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

export class BuildError extends Error {
  override readonly name = 'BuildError';
}

type Outputs = esbuild.Metafile['outputs'];
type Output = Outputs[string];

/** Bundles a module into `index.js` of a folder, with these pipelines wherever it opens pipelines. */
export async function bundle(entry: string, pipelines: readonly PipelineFile[], folder: string): Promise<Outputs> {
  try {
    const { metafile } = await esbuild.build({
      absWorkingDir: ROOT,
      entryPoints: { index: entry },
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
      // What is CommonJS among the dependencies asks for Node's modules by `require`, which ES modules do not have.
      banner: { js: `import{createRequire}from'node:module';const require=createRequire(import.meta.url);` },
      legalComments: 'none',
      metafile: true,
      logLevel: 'silent',
      plugins: [bundledPipelines(pipelines), slimSdk],
    });
    return metafile.outputs;
  } catch (error) {
    if (!isBuildFailure(error)) throw error;
    const told = await esbuild.formatMessages(error.errors, { kind: 'error', color: false });
    throw new BuildError(`${entry} cannot be bundled:\n${told.join('')}`, { cause: error });
  }
}

const isBuildFailure = (error: unknown): error is esbuild.BuildFailure =>
  error instanceof Error && Array.isArray((error as Partial<esbuild.BuildFailure>).errors);

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
  // PostgreSQL within the process takes a gigabyte of memory: for one machine only.
  '@electric-sql/pglite',
];

/** Puts a module that names every pipeline of the folder in the place of `functions/pipelines.ts`, which reads the folder. */
const bundledPipelines = (files: readonly PipelineFile[]): esbuild.Plugin => ({
  name: 'bundled-pipelines',
  setup(build) {
    build.onLoad({ filter: /[\\/]functions[\\/]pipelines\.ts$/ }, () => ({
      contents: pipelinesModule(files),
      loader: 'ts',
      resolveDir: join(ROOT, 'functions'),
    }));
  },
});

/** Each file is imported when the catalog is opened, not with the bundle, so that one that throws takes no other along. */
function pipelinesModule(files: readonly PipelineFile[]): string {
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

const SCHEMAS = /[\\/]@aws-sdk[\\/]client-[\w-]+[\\/]dist-es[\\/]schemas[\\/]schemas_\d+\.js$/;

/**
 * Lets esbuild leave out of an SDK client what no command in use needs: an array with computed keys counts as a side effect
 * unless a pure call makes it. Of Systems Manager, whose errors are half of it, none is registered: they keep name and
 * message, and nothing here asks for their classes. Where a later SDK is written otherwise, the bundle is only larger.
 */
export const slimSdk: esbuild.Plugin = {
  name: 'slim-sdk',
  setup(build) {
    build.onLoad({ filter: SCHEMAS }, ({ path }) => {
      const contents = readFileSync(path, 'utf8').replaceAll(
        /^((?:export )?var \w+\$ =) (\[[\s\S]*?\n?\]);$/gm,
        '$1 /* @__PURE__ */ (() => $2)();',
      );
      const errors = path.includes('client-ssm') ? /^n0_registry\.registerError\(.*\);$/gm : /(?!)/g;
      return { contents: contents.replaceAll(errors, ''), loader: 'js' };
    });
  },
};

/** Of the outputs that begin with these modules, and of all that they import without waiting. */
function bytesAtStart(outputs: Outputs, entries: readonly string[]): number {
  const loaded = new Set<string>();
  const load = (path: string) => {
    const output = outputs[path];
    if (!output || loaded.has(path)) return;
    loaded.add(path);
    for (const { path: next, kind } of output.imports) if (kind === 'import-statement') load(next);
  };
  for (const [path, { entryPoint }] of Object.entries(outputs))
    if (entryPoint !== undefined && entries.includes(entryPoint)) load(path);
  return [...loaded].reduce((sum, path) => sum + outputs[path]!.bytes, 0);
}

function partsOf(outputs: readonly Output[]): BuiltFunction['parts'] {
  const sums = new Map<string, number>();
  for (const [path, { bytesInOutput }] of outputs.flatMap(({ inputs }) => Object.entries(inputs))) {
    const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? path.split('/')[0]!;
    sums.set(name, (sums.get(name) ?? 0) + bytesInOutput);
  }
  return [...sums].map(([name, bytes]) => ({ name, bytes })).sort((a, b) => b.bytes - a.bytes);
}

/** How long a fresh process takes to import a bundle: the median of several, in milliseconds. */
export async function importMs(file: string, { times = 11 } = {}): Promise<number> {
  const url = JSON.stringify(pathToFileURL(file).href);
  const code = `const began = performance.now(); await import(${url}); console.log(performance.now() - began);`;
  const took: number[] = [];
  for (let n = 0; n < times; n++) {
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code]);
    took.push(Number(stdout));
  }
  return took.sort((a, b) => a - b)[Math.floor(times / 2)]!;
}

const kB = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`;

async function main(): Promise<void> {
  const { report } = parseArgs({ options: { report: { type: 'boolean', default: false } } }).values;
  for (const { name, bytes, startBytes, file, parts } of await buildFunctions()) {
    const took = report ? `, imported in ${(await importMs(file)).toFixed(0)} ms (median of 11)` : '';
    console.log(`dist/${name}  ${kB(bytes)}, ${kB(startBytes)} of it loaded at the start${took}`);
    if (report) for (const part of parts.slice(0, 12)) console.log(`${kB(part.bytes).padStart(12)}  ${part.name}`);
  }
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    console.error(`build: ${error.message}`);
    process.exitCode = 1;
  }
}
