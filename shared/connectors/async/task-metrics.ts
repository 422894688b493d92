import { isObject } from '../../core/json.ts';
import type { MetricsQuery, TaskMetrics } from './async-connector.ts';
import { ConnectorError } from './errors.ts';

export const SERIES_POINTS_MAX = 11_000;

/** @throws {ConnectorError} `InvalidArgument`: times the wrong way round, or more points than a series may have */
export function checkMetricsQuery(query: MetricsQuery): MetricsQuery {
  const { startTime, endTime, stepSeconds } = query;
  const spanSeconds = startTime && endTime ? (endTime.getTime() - startTime.getTime()) / 1000 : undefined;
  if (spanSeconds !== undefined && spanSeconds < 0) throw invalid('startTime must not be after endTime');
  if (stepSeconds !== undefined && !(stepSeconds > 0)) throw invalid(`step must be above 0, got ${stepSeconds} s`);
  if (spanSeconds !== undefined && stepSeconds !== undefined) checkPoints(Math.floor(spanSeconds / stepSeconds) + 1);
  return query;
}

/** @throws {ConnectorError} `InvalidArgument`: a series is too long; `BadMetrics`: not of the shape that was agreed */
export function checkMetrics(metrics: TaskMetrics): TaskMetrics {
  if (!isObject(metrics) || !Array.isArray(metrics.results)) throw bad('an object with results', metrics);
  for (const { metric, data } of metrics.results as TaskMetrics['results']) {
    if (typeof metric !== 'string' || !isObject(data) || data.resultType !== 'matrix' || !Array.isArray(data.result)) {
      throw bad('a metric with a matrix', data);
    }
    for (const series of data.result as TaskMetrics['results'][number]['data']['result']) {
      if (!isObject(series) || !isObject(series.metric) || !Array.isArray(series.values)) throw bad('a series', series);
      checkPoints(series.values.length);
      if (!(series.values as readonly unknown[]).every(isPoint)) throw bad('[seconds, "value"] as a point', series);
    }
  }
  return metrics;
}

const isPoint = (point: unknown): boolean =>
  Array.isArray(point) && point.length === 2 && Number.isFinite(point[0]) && typeof point[1] === 'string';

function checkPoints(points: number): void {
  if (points > SERIES_POINTS_MAX) throw invalid(`a series has at most ${SERIES_POINTS_MAX} points, got ${points}`);
}

const invalid = (message: string) => new ConnectorError('InvalidArgument', { message });

const bad = (expected: string, got: unknown) =>
  new ConnectorError('BadMetrics', {
    message: `metrics must be ${expected}, got ${JSON.stringify(got)?.slice(0, 60)}`,
  });
