import { registerHooks } from 'node:module';

// Imported before the core is: from here on, what is in `shared/landing/` gets the stand-in where it asks for `node:zlib`.
const STAND_IN = new URL('zlib.ts', import.meta.url).href;
const LANDING = new URL('../../shared/landing/', import.meta.url).href;

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'node:zlib' && context.parentURL?.startsWith(LANDING)
      ? { url: STAND_IN, format: 'module-typescript', shortCircuit: true }
      : next(specifier, context),
});
