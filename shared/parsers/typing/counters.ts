import type { Schema } from '../../records/schema.ts';
import type { ParseStats, ParseWarning } from '../parser.ts';

/** The figures of one parse as they grow. */
export class Counters implements ParseStats {
  rows = 0;
  badRecords = 0;
  skippedRecords = 0;
  rescuedValues = 0;
  replacedValues = 0;
  inputBytes = 0;
  expandedBytes = 0;
  warningCount = 0;
  schema: Schema | undefined;
  readonly warnings: ParseWarning[] = [];
  readonly #maxWarnings: number;

  constructor(maxWarnings: number) {
    this.#maxWarnings = maxWarnings;
  }

  warn(warning: ParseWarning): void {
    this.warningCount += 1;
    if (this.warnings.length < this.#maxWarnings) this.warnings.push(warning);
  }
}
