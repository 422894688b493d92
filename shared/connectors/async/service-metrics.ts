import type { Clock } from '../../core/clock.ts';
import type { Facts, Logger } from '../../core/logger.ts';
import type { Operation } from './classify.ts';

/** What the task service counts. */
export interface ServiceMetric {
  readonly name:
    | 'requests_success_total'
    | 'requests_failure_total'
    | 'request_latency_seconds'
    | 'input_literal_bytes'
    | 'resource_meta_large_total';
  readonly value: number;
  readonly dimensions: {
    /** `unknown` if no connector is for it, so that nobody can make up dimensions; `-` for calls about connectors. */
    readonly TaskType: string;
    readonly Operation?: Operation;
    readonly ErrorCode?: string;
  };
}

const UNITS: Readonly<Record<ServiceMetric['name'], string>> = {
  requests_success_total: 'Count',
  requests_failure_total: 'Count',
  request_latency_seconds: 'Seconds',
  input_literal_bytes: 'Bytes',
  resource_meta_large_total: 'Count',
};

const NAMESPACE = 'Landfall/Connectors';

/** Gets what one call counted, together. */
export type OnMetrics = (metrics: readonly ServiceMetric[]) => void;

/**
 * Metrics in CloudWatch's embedded format: a log line from which CloudWatch makes them. They agree in the dimensions they share.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export function embeddedMetrics(metrics: readonly ServiceMetric[], clock: Clock): Facts {
  const facts: Record<string, unknown> = {
    _aws: {
      Timestamp: clock().getTime(),
      CloudWatchMetrics: metrics.map(({ name, dimensions }) => ({
        Namespace: NAMESPACE,
        Dimensions: [Object.keys(dimensions)],
        Metrics: [{ Name: name, Unit: UNITS[name] }],
      })),
    },
  };
  for (const { name, value, dimensions } of metrics) Object.assign(facts, dimensions, { [name]: value });
  return facts;
}

/** Writes metrics to a log, one line a call. */
export const metricLog =
  (log: Logger, clock: Clock): OnMetrics =>
  (metrics) =>
    log.info('metric', embeddedMetrics(metrics, clock));
