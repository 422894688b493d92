/** Counts the requests that are made of services, so that what a run costs can be said. */
export interface Meter {
  count(service: string, operation: string, facts?: MeterFacts): void;
  /** What was counted so far, one line for each service, operation and resource. */
  snapshot(): MeterLine[];
  /** What was counted for one pipeline since it was last taken. */
  take(pipeline: string): MeterLine[];
}

export interface MeterFacts {
  /** Default 1. */
  readonly requests?: number;
  /** What the service bills: read or write units of a table, 64 KiB chunks of a queue. */
  readonly units?: number;
  readonly bytes?: number;
  /** The table, queue or bucket. */
  readonly resource?: string;
  /** For which pipeline, where that is known. */
  readonly pipeline?: string | undefined;
}

/** Plain JSON, so that it can be kept with a run. */
export interface MeterLine {
  readonly service: string;
  readonly operation: string;
  readonly resource?: string;
  readonly requests: number;
  readonly units: number;
  readonly bytes: number;
}

export function newMeter(): Meter {
  const all = new Map<string, MeterLine>();
  const byPipeline = new Map<string, Map<string, MeterLine>>();
  return {
    count(service, operation, { requests = 1, units = 0, bytes = 0, resource, pipeline } = {}) {
      const line = { service, operation, ...(resource !== undefined && { resource }), requests, units, bytes };
      addLine(all, line);
      if (pipeline === undefined) return;
      const own = byPipeline.get(pipeline) ?? new Map<string, MeterLine>();
      byPipeline.set(pipeline, own);
      addLine(own, line);
    },
    snapshot: () => [...all.values()],
    take(pipeline) {
      const own = byPipeline.get(pipeline);
      byPipeline.delete(pipeline);
      return [...(own?.values() ?? [])];
    },
  };
}

/** Several snapshots as one: of the workers of a run, or of its invocations. */
export function mergeMeterLines(...snapshots: readonly (readonly MeterLine[])[]): MeterLine[] {
  const lines = new Map<string, MeterLine>();
  for (const line of snapshots.flat()) addLine(lines, line);
  return [...lines.values()];
}

/** The sum of the lines that agree with `of`; of all, if it names nothing. */
export function sumMeterLines(
  lines: readonly MeterLine[],
  of: Partial<Pick<MeterLine, 'service' | 'operation' | 'resource'>> = {},
): Pick<MeterLine, 'requests' | 'units' | 'bytes'> {
  const sum = { requests: 0, units: 0, bytes: 0 };
  for (const line of lines) {
    if (of.service !== undefined && of.service !== line.service) continue;
    if (of.operation !== undefined && of.operation !== line.operation) continue;
    if (of.resource !== undefined && of.resource !== line.resource) continue;
    sum.requests += line.requests;
    sum.units += line.units;
    sum.bytes += line.bytes;
  }
  return sum;
}

function addLine(lines: Map<string, MeterLine>, line: MeterLine): void {
  const key = `${line.service} ${line.operation} ${line.resource ?? ''}`;
  const known = lines.get(key);
  lines.set(key, known ? { ...known, ...sumMeterLines([known, line]) } : line);
}
