import type { ListRun } from '../connectors/connector.ts';
import { parseListed } from '../connectors/metadata.ts';
import type { Deadline } from '../core/deadline.ts';
import { epochMs } from '../core/units.ts';
import { ListingFailedError } from '../listing/list-node.ts';
import type { Pipeline } from '../pipelines/define.ts';
import type { RefreshDeps } from '../refresh/deps.ts';

const CHILDREN_SHOWN = 10;

export interface ConnectionTest {
  readonly contextMs: number;
  readonly listMs: number;
  /** The first children of the root, at most 10. */
  readonly children: readonly { readonly name: string; readonly kind: string }[];
  /** There are more. */
  readonly more: boolean;
}

/**
 * Builds a pipeline's context with its credential and takes the first steps of one listing.
 *
 * @throws {SecretMissingError} {@link ContextError} {@link ListingFailedError}
 */
export async function testConnection(
  pipeline: Pipeline,
  deps: RefreshDeps,
  deadline: Deadline,
): Promise<ConnectionTest> {
  const began = epochMs(deps.clock());
  const { connector, context } = await deps.connectors.open(pipeline, deadline.signal);
  const opened = epochMs(deps.clock());
  const run: ListRun = {
    pipeline: pipeline.name,
    run: 0,
    path: [],
    log: deps.log,
    signal: deadline.signal,
    metric: () => {},
    remainingMs: () => deadline.remainingMs(),
    checkpoint: async () => {},
    position: () => {},
    expectRows: () => {},
    warn: async () => {},
  };
  const children: { name: string; kind: string }[] = [];
  let more = false;
  try {
    for await (const yielded of connector.listObjects(context, null, run)) {
      const { name, kind } = parseListed(yielded, [], { strict: pipeline.fingerprints === 'strict' });
      more = children.length === CHILDREN_SHOWN;
      if (more) break;
      children.push({ name, kind });
    }
  } catch (error) {
    throw new ListingFailedError([], error);
  }
  return { contextMs: opened - began, listMs: epochMs(deps.clock()) - opened, children, more };
}
