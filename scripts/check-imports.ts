// Imports point one way. `npm run check` runs this over the sources; the tables below are the rules.
import { globSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What each top-level folder may import besides itself. Tests, benchmarks and scripts may import everything above them. */
const FOLDERS: Readonly<Record<string, readonly string[]>> = {
  shared: [],
  pipelines: ['shared'],
  functions: ['shared'],
  local: ['shared', 'functions'],
  cli: ['shared', 'functions', 'local'],
  bin: ['cli'],
  scripts: ['shared'],
  bench: ['shared', 'functions', 'local', 'cli', 'scripts'],
};

/** What each folder of `shared/` may import besides itself: the lower ones first, so nothing points down to up. */
const SHARED: Readonly<Record<string, readonly string[]>> = {
  core: [],
  sqlite: ['core'],
  tables: ['core', 'sqlite'],
  secrets: ['core'],
  queue: ['core', 'sqlite'],
  landing: ['core'],
  nodes: ['core', 'tables'],
  partitions: ['core', 'tables', 'nodes'],
  runs: ['core', 'tables', 'nodes'],
  buckets: ['core', 'tables'],
  backends: ['core', 'sqlite', 'tables', 'queue', 'landing', 'secrets'],
  clients: ['core'],
  connectors: ['core', 'clients'],
  records: ['core'],
  parsers: ['core', 'clients', 'records'],
  formats: ['core', 'records', 'landing'],
  sinks: ['core', 'clients', 'connectors', 'landing', 'records', 'parsers', 'formats'],
  pipelines: ['core', 'connectors', 'landing', 'formats'],
  uploads: [
    ...['core', 'tables', 'queue', 'landing', 'secrets', 'nodes', 'runs'],
    ...['records', 'parsers', 'formats', 'connectors', 'pipelines', 'sinks'],
  ],
  jobs: ['core', 'tables', 'queue', 'landing', 'buckets', 'connectors'],
  listing: ['core', 'connectors', 'nodes', 'partitions'],
  refresh: [
    ...['core', 'tables', 'queue', 'landing', 'secrets', 'nodes', 'partitions', 'runs'],
    ...['buckets', 'jobs', 'connectors', 'pipelines', 'listing', 'uploads', 'records', 'parsers', 'formats'],
  ],
  steps: [
    'core',
    'queue',
    'landing',
    'secrets',
    'nodes',
    'runs',
    'jobs',
    'connectors',
    'listing',
    'refresh',
    'uploads',
  ],
  costs: ['core', 'tables', 'queue', 'landing', 'nodes', 'partitions', 'pipelines', 'refresh'],
  operations: [
    ...['core', 'sqlite', 'tables', 'queue', 'landing', 'secrets', 'nodes', 'partitions', 'runs', 'buckets', 'jobs'],
    ...['clients', 'connectors', 'records', 'parsers', 'pipelines', 'sinks', 'uploads', 'listing', 'refresh', 'steps'],
    'costs',
  ],
};

/** Types alone bind nothing at run time; what a port carries may be named where it is defined. */
const SHARED_TYPES: Readonly<Record<string, readonly string[]>> = {
  queue: ['nodes'],
  landing: ['nodes', 'partitions', 'pipelines'],
  partitions: ['landing'],
  runs: ['queue'],
  connectors: ['pipelines', 'secrets', 'parsers'],
  pipelines: ['parsers', 'sinks'],
  sinks: ['pipelines'],
  refresh: ['backends'],
  jobs: ['nodes'],
  operations: ['backends'],
};

/** An SDK client is for the files that speak to its service, and for the one that builds it. */
const SDK: Readonly<Record<string, readonly string[]>> = {
  '@aws-sdk/client-athena': ['shared/connectors/async/built-in/aws/athena-sdk.ts'],
  '@aws-sdk/client-dynamodb': ['shared/tables/dynamo.ts', 'shared/tables/dynamo-create.ts', 'shared/backends/aws.ts'],
  '@aws-sdk/client-s3': [
    ...[
      'shared/landing/s3.ts',
      'shared/connectors/s3/sdk-bucket.ts',
      'shared/sinks/s3/client.ts',
      'shared/backends/aws.ts',
    ],
    'local/servers/dis/dump/buckets.ts',
  ],
  '@aws-sdk/client-secrets-manager': ['shared/secrets/aws.ts', 'shared/backends/aws.ts'],
  '@aws-sdk/client-sfn': ['shared/connectors/async/built-in/aws/step-functions-sdk.ts'],
  '@aws-sdk/client-sqs': ['shared/queue/sqs.ts', 'shared/backends/aws.ts'],
  '@aws-sdk/client-ssm': ['shared/secrets/aws.ts', 'shared/backends/aws.ts'],
};

export interface Import {
  /** As it is written. */
  readonly from: string;
  readonly typeOnly: boolean;
}

/** The imports and re-exports of a module, dynamic ones included. */
export function importsOf(source: string): Import[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '');
  const found: Import[] = [];
  for (const [, clause = '', from] of code.matchAll(/^(?:import|export)\b([^'";]*?)\bfrom\s+'([^']+)'/gm)) {
    const names = /\{([^}]*)\}/
      .exec(clause)?.[1]
      ?.split(',')
      .filter((name) => name.trim() !== '');
    const allTypes = names?.every((name) => /^\s*type\s/.test(name)) && !/^\s*\w+\s*,/.test(clause);
    found.push({ from: from!, typeOnly: /^\s*type\b/.test(clause) || allTypes === true });
  }
  for (const [, from] of code.matchAll(/^import\s+'([^']+)'/gm)) found.push({ from: from!, typeOnly: false });
  for (const [, from] of code.matchAll(/\bimport\(\s*'([^']+)'/g)) found.push({ from: from!, typeOnly: false });
  return found;
}

/** @param path of the importing file, from the project's root. @returns what is wrong with the import, if anything */
export function complaintOf(path: string, { from, typeOnly }: Import): string | undefined {
  if (!from.startsWith('.')) return packageComplaint(path, from);
  const target = posix.join(posix.dirname(path), from);
  const [folder = '', inner = ''] = path.split('/');
  const [targetFolder = '', targetInner = ''] = target.split('/');
  if (folder !== targetFolder) {
    const allowed = FOLDERS[folder];
    return !allowed || allowed.includes(targetFolder) ? undefined : `${folder}/ may not import ${targetFolder}/`;
  }
  if (folder === 'functions') {
    const isOther = targetInner !== inner && target.split('/').length > 2;
    return isOther ? 'a function may not import another' : undefined;
  }
  if (folder !== 'shared' || inner === targetInner || inner.endsWith('.ts')) return undefined;
  const allowed = [...(SHARED[inner] ?? []), ...(typeOnly ? (SHARED_TYPES[inner] ?? []) : [])];
  if (allowed.includes(targetInner)) return undefined;
  const what = SHARED_TYPES[inner]?.includes(targetInner) ? 'only types' : 'nothing';
  return `shared/${inner}/ may import ${what} of shared/${targetInner}/`;
}

function packageComplaint(path: string, from: string): string | undefined {
  if (isBuiltin(from)) return undefined;
  if (path.startsWith('shared/core/')) return 'shared/core/ may import only what Node has';
  const name = from.split('/', from.startsWith('@') ? 2 : 1).join('/');
  const isSource = /^(shared|functions|local|cli|pipelines)\//.test(path);
  if (!isSource || !/^@(aws-sdk|smithy)\//.test(name)) return undefined;
  const speakers = SDK[name] ?? [];
  return speakers.includes(path) ? undefined : `${name} is for ${speakers.join(', ') || 'none of our files'}`;
}

if (import.meta.main) {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const patterns = Object.keys(FOLDERS).map((folder) => `${folder}/**/*.{ts,mjs}`);
  const files = globSync(patterns, { cwd: root }).map((path) => path.replaceAll('\\', '/'));
  let wrong = 0;
  for (const path of files.sort()) {
    for (const one of importsOf(readFileSync(`${root}/${path}`, 'utf8'))) {
      const complaint = complaintOf(path, one);
      if (complaint === undefined) continue;
      wrong += 1;
      console.error(`${path}: ${complaint}: '${one.from}'`);
    }
  }
  console.log(`imports of ${files.length} files: ${wrong === 0 ? 'all point the right way' : `${wrong} do not`}`);
  if (wrong > 0) process.exitCode = 1;
}
