import { registerHooks } from 'node:module';

// Imported before the core is: from here on, what is in `shared/` gets the stand-in where it asks for `node:zlib`.
const STAND_IN = new URL('zlib.ts', import.meta.url).href;
const CORE = new URL('../../shared/', import.meta.url).href;

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'node:zlib' && context.parentURL?.startsWith(CORE)
      ? { url: STAND_IN, format: 'module-typescript', shortCircuit: true }
      : next(specifier, context),
});
