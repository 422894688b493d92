import type { PipelineOptions } from '../../../shared/pipelines/define.ts';
import { DAP_SECRET, DapKind } from './dap-kind.ts';
import { DIS_SECRET, DisKind } from './dis-kind.ts';
import type { Kind, KindName, KindParts } from './kind.ts';
import { MAXCOMPUTE_SECRET, MaxComputeKind } from './maxcompute-kind.ts';
import { TOKEN } from './redactor.ts';
import { RowsKind } from './rows-kind.ts';

interface Making {
  readonly make: (parts: KindParts, options: Partial<PipelineOptions>) => Kind;
  /** What its source's credential is. */
  readonly secret: string;
}

const KINDS: Readonly<Record<KindName, Making>> = {
  jobs: { make: (parts, options) => new DapKind(parts, options), secret: DAP_SECRET },
  feeds: { make: (parts, options) => new DisKind(parts, options), secret: DIS_SECRET },
  splits: { make: (parts, options) => new MaxComputeKind(parts, options), secret: MAXCOMPUTE_SECRET },
  sinks: { make: (parts, options) => new RowsKind(parts, options), secret: TOKEN },
};

export const kindOf = (name: KindName, parts: KindParts, options: Partial<PipelineOptions>): Kind =>
  KINDS[name].make(parts, options);

export const secretOf = (name: KindName): string => KINDS[name].secret;
