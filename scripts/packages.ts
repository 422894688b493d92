// What the project is made of beside its own code: the packages of the lockfile that come with an installation, their licences
// and the list of materials.
//
// `npm run licences` writes docs/licences.md; `npm run sbom` writes dist/sbom.cdx.json, in CycloneDX.
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What may come with an installation: each lets the work be used, changed and passed on in a work of another licence. */
export const ALLOWED_LICENCES: ReadonlySet<string> = new Set([
  ...['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT'],
]);

export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  /** As an SPDX expression. */
  readonly license?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly hasInstallScript?: boolean;
}

/** All packages of the lockfile, those of development too. */
export function lockedPackages(): LockedPackage[] {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Omit<LockedPackage, 'name'> & { name?: string }>;
  };
  return Object.entries(packages)
    .filter(([path]) => path !== '')
    .map(([path, { name, ...rest }]) => ({
      ...rest,
      name: name ?? path.slice(path.lastIndexOf('node_modules/') + 13),
    }));
}

export const isInstalled = ({ dev, devOptional }: LockedPackage): boolean => !dev && !devOptional;

/** docs/licences.md: without versions, which change with every update. */
export function licenceList(): string {
  const byName = new Map(
    lockedPackages()
      .filter(isInstalled)
      .map(({ name, license = 'unknown' }) => [name, license]),
  );
  const rows = [...byName]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, licence]) => `| \`${name}\` | ${licence} |`);
  return [
    '# Licences',
    '',
    'What comes with an installation of Landfall, which itself is under [Apache-2.0](../LICENSE). Written by `npm run licences` from the',
    'lockfile, and checked: another licence than these fails the tests.',
    '',
    '| package | licence |',
    '| --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

export interface Sbom {
  readonly bomFormat: string;
  readonly specVersion: string;
  readonly metadata: { readonly component: { readonly name: string; readonly version: string } };
  readonly components: readonly SbomComponent[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

interface SbomComponent {
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly hashes?: readonly unknown[];
  readonly licenses?: readonly unknown[];
  readonly properties?: readonly { readonly name: string; readonly value: string }[];
}

/**
 * The list of materials of an installation. npm makes it; asked to leave development out, it also leaves out what both need
 * (npm 11), so that is done here.
 *
 * @throws {Error} a package of the lockfile is not in it, or has no hash or licence there
 */
export async function billOfMaterials(): Promise<Sbom> {
  const args = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'];
  const { stdout } = await promisify(execFile)('npm', args, { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 });
  const whole = JSON.parse(stdout) as Sbom;
  const isDevelopment = ({ properties = [] }: SbomComponent) =>
    properties.some(({ name, value }) => name === 'cdx:npm:package:development' && value === 'true');
  const components = whole.components.filter((component) => !isDevelopment(component));
  const left = new Set([...components.map((component) => component['bom-ref']), bomRefOf(whole)]);
  const { name, version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
  };
  const sbom: Sbom = {
    ...whole,
    // npm calls it by the folder that it lies in.
    metadata: { ...whole.metadata, component: { ...whole.metadata.component, name, version } },
    components,
    dependencies: whole.dependencies
      .filter(({ ref }) => left.has(ref))
      .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((one) => left.has(one)) })),
  };
  const told = new Map(components.map((component) => [`${component.name}@${component.version}`, component]));
  for (const locked of lockedPackages().filter(isInstalled)) {
    const component = told.get(`${locked.name}@${locked.version}`);
    if (!component?.hashes?.length || !component.licenses?.length)
      throw new Error(`${locked.name}@${locked.version} is not in the list of materials, or without hash or licence`);
  }
  return sbom;
}

const bomRefOf = ({ metadata }: Sbom): string => (metadata.component as unknown as SbomComponent)['bom-ref'];

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv[2] === 'licences') writeFileSync(join(ROOT, 'docs/licences.md'), licenceList());
  else {
    const sbom = await billOfMaterials();
    mkdirSync(join(ROOT, 'dist'), { recursive: true });
    writeFileSync(join(ROOT, 'dist/sbom.cdx.json'), `${JSON.stringify(sbom, null, 2)}\n`);
    console.log(`dist/sbom.cdx.json: ${sbom.components.length} packages`);
  }
}
