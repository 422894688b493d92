/** Where a project is. All of it is plain text that may be written down. */
export interface MaxComputeEndpoint {
  readonly project: string;
  /** The REST endpoint, e.g. `https://service.cn-hangzhou.maxcompute.aliyun.com/api`. */
  readonly endpoint: string;
  /** Where the rows are. Default: the REST endpoint is asked. */
  readonly tunnelEndpoint?: string;
  /** E.g. `cn-hangzhou`: requests are signed by version 4, else classic. */
  readonly region?: string;
  readonly quotaName?: string;
  /** `2` (default) or `3`. */
  readonly apiVersion?: string;
}

export const ENDPOINT_SPEC = {
  project: { kind: 'string', required: true, min: 1, max: 128 },
  endpoint: { kind: 'string', required: true, min: 1 },
  tunnelEndpoint: { kind: 'string', min: 1 },
  region: { kind: 'string', min: 1 },
  quotaName: { kind: 'string', min: 1 },
  apiVersion: { kind: 'string', oneOf: ['2', '3'] },
} as const;
