import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a script of the project's dependencies on this Node, without any credential or setting of AWS. */
export function runScript(script: string, args: readonly string[], { env = {}, cwd = ROOT } = {}): Promise<Ended> {
  const own = Object.entries(process.env).filter(([name]) => !/^(AWS_|LANDFALL_|VITEST|NODE_OPTIONS)/.test(name));
  const settings = { ...Object.fromEntries(own), AWS_EC2_METADATA_DISABLED: 'true', ...env };
  return new Promise((ended) => {
    const options = { cwd, env: settings, maxBuffer: 64 * 1024 * 1024 };
    execFile(process.execPath, [join(ROOT, script), ...args], options, (error, stdout, stderr) =>
      ended({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    );
  });
}

export const serverless = (args: readonly string[], env: Record<string, string> = {}) =>
  runScript('node_modules/serverless/bin/serverless.js', args, { env });
