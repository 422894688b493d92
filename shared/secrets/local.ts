import { constants, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Environment } from '../core/env.ts';
import { KIB } from '../core/units.ts';
import { checkReference } from './reference.ts';
import { SecretMissingError, type Secrets, SecretUnreadableError } from './secrets.ts';

export interface LocalSecretsOptions {
  /** Holds a file for each secret, named as it is. */
  readonly folder: string;
  readonly env: Environment;
  /** The user who must own the files; undefined where files have no owner. Default: who runs this process. */
  readonly uid?: number | undefined;
}

/**
 * Secrets of one machine: an environment variable first (`landfall/canvas` is `LANDFALL_SECRET_LANDFALL_CANVAS`), else a
 * file of the folder, which only its owner may read and write, and whose last line end is not part of the secret.
 */
export function localSecrets({ folder, env, uid = process.getuid?.() }: LocalSecretsOptions): Secrets {
  return {
    async get(reference) {
      checkReference(reference);
      const variable = variableOf(reference);
      const path = join(resolve(folder), reference);
      const value = env[variable] || (await readSecretFile(reference, path, uid));
      if (value === undefined) {
        throw new SecretMissingError(
          `there is no secret ${reference}: neither the variable ${variable} is set, nor is there a file ${path}`,
        );
      }
      return value;
    },
  };
}

export function variableOf(reference: string): string {
  return `LANDFALL_SECRET_${reference.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`;
}

/** As much as Secrets Manager takes. */
const SECRET_MAX_BYTES = 64 * KIB;

async function readSecretFile(reference: string, path: string, uid: number | undefined): Promise<string | undefined> {
  try {
    // Without O_NONBLOCK, opening a pipe would wait for its writer.
    await using handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const complaint = complaintOf(await handle.stat(), path, uid);
    if (complaint) throw new SecretUnreadableError(`the secret ${reference} is not read: ${complaint}`);
    return (await handle.readFile('utf8')).replace(/\r?\n$/, '');
  } catch (error) {
    if (error instanceof SecretUnreadableError) throw error;
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new SecretUnreadableError(`the secret ${reference} cannot be read: ${path} (${code})`, { cause: error });
  }
}

function complaintOf(stat: Stats, path: string, uid: number | undefined): string | undefined {
  if (!stat.isFile()) return `${path} is not a regular file`;
  if (stat.size > SECRET_MAX_BYTES)
    return `${path} has ${stat.size} bytes, and a secret has at most ${SECRET_MAX_BYTES}`;
  if (uid === undefined) return undefined;
  if (stat.uid !== uid)
    return `${path} belongs to user ${stat.uid}, not to ${uid} who runs this (chown ${uid} ${path})`;
  const mode = stat.mode & 0o777;
  if ((mode & 0o077) === 0) return undefined;
  return `${path} has mode ${mode.toString(8)}, so others may open it (chmod 600 ${path})`;
}
