import type { OptionSpec } from '../../core/options.ts';

export interface JsonOptions {
  /**
   * `lines`: a record a line. `array`: the elements of one array. `concatenated`: one value after another, with white space or
   * nothing between them. Default `auto`: by how the input begins; for `ndjson` `lines`.
   */
  readonly mode?: 'auto' | 'lines' | 'array' | 'concatenated';
  /** JSON pointer to the array whose elements are the records, such as `/data/items`; what is around it is passed over. */
  readonly recordsPath?: string;
  /** Members of nested objects become columns of their own. Default false. */
  readonly flatten?: boolean;
  /** Between the names of flattened columns. Default `__`. */
  readonly namespaceDelimiter?: string;
  /** A record that nests deeper is bad. Default 64. */
  readonly maxDepth?: number;
  /** Of timestamps in all columns without a format of their own. */
  readonly timestampFormat?: string;
  /** `dap`: records of the Data Access Platform; the members of `key` and `value`, and `meta.ts`, `meta.action`. */
  readonly dialect?: 'plain' | 'dap';
}

export const JSON_SPEC = {
  mode: { kind: 'string', oneOf: ['auto', 'lines', 'array', 'concatenated'] },
  recordsPath: { kind: 'string' },
  flatten: { kind: 'boolean', default: false },
  namespaceDelimiter: { kind: 'string', min: 1, default: '__' },
  maxDepth: { kind: 'integer', min: 1, max: 1000, default: 64 },
  timestampFormat: { kind: 'string', min: 1 },
  dialect: { kind: 'string', oneOf: ['plain', 'dap'], default: 'plain' },
} as const satisfies Record<keyof JsonOptions, OptionSpec>;

export interface JsonSettings extends Required<Omit<JsonOptions, 'timestampFormat' | 'recordsPath'>> {
  /** The parts of the pointer; undefined without. */
  readonly path: readonly string[] | undefined;
}
