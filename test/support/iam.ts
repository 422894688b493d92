import { createRequire } from 'node:module';
import type { PortCall } from './faults.ts';

/** What a function asks of AWS: an action, on a resource as the template calls it; of a bucket with the key behind it. */
export interface IamRequest {
  readonly action: string;
  readonly resource: string;
}

/** One action on one resource that a role allows. */
export interface Grant {
  readonly action: string;
  /** With `*` for anything. */
  readonly resource: string;
  readonly condition: string;
}

interface Statement {
  readonly Effect: string;
  readonly Action: readonly string[];
  readonly Resource: readonly Readonly<Record<string, string | readonly string[]>>[];
  readonly Condition?: object;
}

interface Role {
  readonly Properties: {
    readonly Policies: readonly { readonly PolicyDocument: { readonly Statement: readonly Statement[] } }[];
  };
}

type Resources = (serverless: {
  resolveVariable: () => Promise<string>;
}) => Promise<{ Resources: Record<string, Role> }>;

const pascal = (name: string) => name.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** What each function may do: its role as it is deployed, taken apart. */
export async function grantsByFunction(): Promise<Map<string, readonly Grant[]>> {
  const roles = createRequire(import.meta.url)('../../resources/roles.cjs') as Resources & { NEEDS: object };
  const { Resources: resources } = await roles({ resolveVariable: async () => 'landfall/*' });
  return new Map(Object.keys(roles.NEEDS).map((name) => [name, grantsOf(resources[`${pascal(name)}Role`]!)]));
}

function grantsOf({ Properties }: Role): Grant[] {
  const statements = Properties.Policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement);
  return statements.flatMap(({ Effect, Action, Resource, Condition }) => {
    if (Effect !== 'Allow') throw new Error('a role allows, and does nothing else');
    return Action.flatMap((action) =>
      Resource.map((resource) => ({ action, resource: nameOf(resource), condition: JSON.stringify(Condition ?? {}) })),
    );
  });
}

/** `RunsTable`, `LandingBucket/staging/*`, or an ARN as it is written. */
function nameOf(resource: Statement['Resource'][number]): string {
  const attribute = resource['Fn::GetAtt'];
  if (Array.isArray(attribute)) return attribute[0];
  return String(resource['Fn::Sub']).replace(/^\$\{LandingBucket\.Arn\}/, 'LandingBucket');
}

export function allows({ action, resource, condition }: Grant, asked: IamRequest): boolean {
  if (action !== asked.action) return false;
  // A listing's prefix stands behind the bucket; without one, it is the look for a key that may be missing.
  if (action === 's3:ListBucket') {
    const prefixes = (JSON.parse(condition) as { StringLike?: Record<string, string[]> }).StringLike?.['s3:prefix'];
    return (prefixes ?? []).some((prefix) => fits(asked.resource, `${resource}/${prefix}`));
  }
  return fits(asked.resource, resource);
}

const fits = (text: string, pattern: string): boolean =>
  new RegExp(
    `^${pattern
      .split('*')
      .map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')}$`,
    's',
  ).test(text);

const TABLE_ACTIONS: Readonly<Record<string, string>> = {
  get: 'GetItem',
  getMany: 'BatchGetItem',
  query: 'Query',
  put: 'PutItem',
  update: 'UpdateItem',
  delete: 'DeleteItem',
  putMany: 'BatchWriteItem',
  deleteMany: 'BatchWriteItem',
};

const OBJECT_ACTIONS: Readonly<Record<string, string>> = {
  get: 'GetObject',
  head: 'GetObject',
  read: 'GetObject',
  put: 'PutObject',
  // The parts of an upload, and its end, are one permission.
  write: 'PutObject',
  close: 'PutObject',
  abort: 'AbortMultipartUpload',
  delete: 'DeleteObject',
};

const table = (name: string, method: string): IamRequest => ({
  action: `dynamodb:${TABLE_ACTIONS[method] ?? method}`,
  resource: `${pascal(name)}Table`,
});
const queue = (name: string, action: string): IamRequest => ({
  action: `sqs:${action}`,
  resource: `${pascal(name)}Queue`,
});
const object = (key: string, method: string): IamRequest => ({
  action: `s3:${OBJECT_ACTIONS[method] ?? method}`,
  resource: `LandingBucket/${key}`,
});
const listing = (prefix: string): IamRequest => ({ action: 's3:ListBucket', resource: `LandingBucket/${prefix}` });

/** What a call of a port asks of AWS; nothing, if it is about nothing. */
export function requestsOf({ port, method, args }: PortCall): IamRequest[] {
  const [first, second] = args;
  if (port === 'queues') {
    if (method === 'retryAfter') return [queue(String(first), 'ChangeMessageVisibility')];
    return (second as readonly unknown[]).length === 0 ? [] : [queue(String(first), 'SendMessage')];
  }
  if (port !== 'objects') return Array.isArray(first) && first.length === 0 ? [] : [table(port, method)];
  const keys = [first].flat().map(String);
  // A list begins as a read does, with a prefix.
  if (method === 'read' && keys[0]?.endsWith('/')) return [listing(keys[0])];
  return keys.map((key) => object(key, method));
}

const TOLD: readonly [RegExp, (found: RegExpExecArray) => IamRequest[]][] = [
  [
    /^(nodes|partitions|runs|jobs|buckets) (put|delete) \d+ items/,
    ([, name, method]) => [table(name!, `${method}Many`)],
  ],
  [/^(nodes|partitions|runs|jobs|buckets) get \d+ items/, ([, name]) => [table(name!, 'getMany')]],
  [/^(nodes|partitions|runs|jobs|buckets) (\w+) /, ([, name, method]) => [table(name!, method!)]],
  [/^send to ([\w-]+):/, ([, name]) => [queue(name!, 'SendMessage')]],
  [/^put a message of ([\w-]+) off/, ([, name]) => [queue(name!, 'ChangeMessageVisibility')]],
  [/^(put|get|read|head) object (\S+)/, ([, method, key]) => [object(key!, method!)]],
  [/^complete object (\S+)/, ([, key]) => [object(key!, 'close')]],
  [/^delete objects (.+)/, ([, keys]) => keys!.split(' ').map((key) => object(key, 'delete'))],
  [/^list (\S+)/, ([, prefix]) => [listing(prefix!)]],
];
/** What the simulation tells of a call that is no function's, or none of AWS. */
const NOT_AWS = /^(open the source|source |receive from |delete \d+ of |count |redrive )/;

/**
 * What the simulation told, as what a function asked of AWS.
 *
 * @param line `<time> s <function>#<number>: <call>`; any other line is about something else
 * @throws a call of a function that is not known here
 */
export function requestsTold(line: string): { readonly step: string; readonly requests: IamRequest[] } | undefined {
  const [, step, call] = /^\s*[\d.]+ s ([a-z-]+)#\d+: (.*)$/s.exec(line) ?? [];
  if (step === undefined || call === undefined || / (fails|is throttled)$/.test(call) || NOT_AWS.test(call))
    return undefined;
  for (const [pattern, ask] of TOLD) {
    const found = pattern.exec(call);
    if (found) return { step, requests: ask(found) };
  }
  throw new Error(`the simulation tells of a call that nobody knows: ${line}`);
}
