import { registerHooks } from 'node:module';

// Imported before the core is: from here on, what is in these folders gets the stand-in where it asks for the module.
const STAND_INS = [
  { specifier: 'node:zlib', below: '../../shared/landing/', by: 'zlib.ts' },
  { specifier: 'node:fs/promises', below: '../../shared/uploads/', by: 'files.ts' },
].map(({ specifier, below, by }) => ({
  specifier,
  below: new URL(below, import.meta.url).href,
  by: new URL(by, import.meta.url).href,
}));

registerHooks({
  resolve: (specifier, context, next) => {
    const standIn = STAND_INS.find((one) => one.specifier === specifier && context.parentURL?.startsWith(one.below));
    return standIn ? { url: standIn.by, format: 'module-typescript', shortCircuit: true } : next(specifier, context);
  },
});
