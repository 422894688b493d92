import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ALLOWED_LICENCES, billOfMaterials, isInstalled, licenceList, lockedPackages } from '../../scripts/packages.ts';

const ROOT = join(import.meta.dirname, '../..');
const packages = lockedPackages();
const named = (wrong: typeof packages) => wrong.map(({ name, version }) => `${name}@${version}`);

describe('the lockfile', () => {
  it('has for every package what its content must hash to', () => {
    expect(packages.length).toBeGreaterThan(300);
    expect(named(packages.filter(({ integrity = '' }) => !/^sha512-[\w+/]{86}==$/.test(integrity)))).toEqual([]);
  });

  it('takes every package from a registry, by TLS: none from a folder, a repository or a URL of its own', () => {
    const elsewhere = packages.filter(
      ({ resolved, link }) => link || (resolved !== undefined && !/^https:\/\/[^/]+\/.+\.tgz$/.test(resolved)),
    );

    expect(named(elsewhere)).toEqual([]);
  });

  it('has what package.json asks for, and no more, at its top', () => {
    const { packages: locked } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

    for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies'])
      expect(locked[''][kind]).toEqual(manifest[kind]);
    const asked = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
    for (const [name, range] of Object.entries(asked)) {
      expect(locked[`node_modules/${name}`], name).toBeDefined();
      expect(range, name).toMatch(/^(npm:[\w-]+@)?\^?\d+\.\d+\.\d+(-[\w.]+)?$/);
    }
  });
});

describe('what comes with an installation', () => {
  const installed = packages.filter(isInstalled);

  it('runs no script of its own when it is installed', () => {
    expect(installed.length).toBeGreaterThan(50);
    expect(named(installed.filter(({ hasInstallScript }) => hasInstallScript))).toEqual([]);
  });

  it('has licences that are allowed, as docs/licences.md lists them', () => {
    expect(named(installed.filter(({ license = '' }) => !ALLOWED_LICENCES.has(license)))).toEqual([]);
    // `npm run licences` writes it.
    expect(readFileSync(join(ROOT, 'docs/licences.md'), 'utf8')).toBe(licenceList());
  });

  it('is in a list of materials, each with its hash and licence, and nothing of development', {
    timeout: 60_000,
  }, async () => {
    const sbom = await billOfMaterials();

    expect(sbom).toMatchObject({ bomFormat: 'CycloneDX', metadata: { component: { name: 'landfall' } } });
    const told = new Set(sbom.components.map(({ name, version }) => `${name}@${version}`));
    expect([...told].sort()).toEqual([...new Set(named(installed))].sort());
    const refs = new Set(sbom.components.map((component) => component['bom-ref']));
    for (const { dependsOn = [] } of sbom.dependencies) for (const ref of dependsOn) expect(refs).toContain(ref);
  });
});
