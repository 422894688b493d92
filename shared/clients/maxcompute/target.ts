import { InvalidRequestError } from './client-errors.ts';
import { named } from './settings.ts';

export interface TableName {
  /** Default: the client's. */
  readonly project?: string | undefined;
  /** Default: the client's, else `default`. */
  readonly schema?: string | undefined;
  readonly table: string;
}

export interface InstanceName {
  /** Default: the client's. */
  readonly project?: string | undefined;
  readonly instance: string;
}

/** What the actions of a {@link StorageApi} are about. */
export interface Target {
  /** As the query has it. */
  readonly text: string;
  readonly isInstance: boolean;
}

/** @throws {InvalidRequestError} a name that is none: dots cannot be escaped */
export function tableTarget(project: string, schema: string | undefined, table: string): Target {
  const parts = [named('the project', project), named('the schema', schema ?? 'default'), named('the table', table)];
  return { text: `projects.${parts[0]}.schemas.${parts[1]}.tables.${parts[2]}`, isInstance: false };
}

/** @throws {InvalidRequestError} */
export function instanceTarget(project: string, instance: string): Target {
  const parts = [named('the project', project), named('the instance id', instance)];
  return { text: `projects.${parts[0]}.instances.${parts[1]}`, isInstance: true };
}

export const BLOB_TARGET = 'generic.blob';

/** A partition as the service spells it: `pt=1,region=a`. @throws {InvalidRequestError} a value that would be two */
export function partitionSpec(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => {
      if (/[,=/']/.test(name) || /[,/']/.test(value) || name === '' || value === '') {
        throw new InvalidRequestError(`the partition ${JSON.stringify(name)} has a value that cannot be spelled`);
      }
      return `${name}=${value}`;
    })
    .join(',');
}
