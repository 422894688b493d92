import type { Metadata } from '../connectors/connector.ts';
import { noDeadline } from '../core/deadline.ts';
import { errorFacts, isRetryable } from '../core/errors.ts';
import { runOf } from '../nodes/plan.ts';
import type { NodeRecord } from '../nodes/store.ts';
import type { RefreshDeps } from './deps.ts';

/**
 * Tells the source that a node has landed, after its manifest is stored. A source that cannot be reached is told again with the
 * next delivery; one that refuses is a warning in the run's record, since the bytes have landed all the same.
 */
export async function acknowledge(pipelineName: string, node: NodeRecord, deps: RefreshDeps): Promise<void> {
  const pipeline = await deps.pipelines.get(pipelineName);
  if (!pipeline.source.connector.acknowledge || (node.totals.failed > 0 && node.kind !== 'feed')) return;
  try {
    const { connector, context } = await deps.connectors.open(pipeline, noDeadline().signal);
    await connector.acknowledge?.(context, {
      path: node.path,
      metadata: node.metadata as Metadata | null,
      ...(node.landedPosition === undefined ? {} : { position: node.landedPosition }),
    });
  } catch (error) {
    if (isRetryable(error)) throw error;
    const facts = errorFacts(error, deps.redactor.redact);
    deps.log.warn('the source refused an acknowledgement', { pipeline: pipelineName, path: node.path, error: facts });
    if (node.plan)
      await deps.runs.warn(
        pipelineName,
        runOf(node.plan),
        `acknowledging ${node.path.join('/')} failed: ${facts.message}`,
      );
  }
}
