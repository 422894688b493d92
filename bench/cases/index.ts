import type { BenchCase } from '../measure.ts';
import { awsObject } from './aws.ts';
import { functionBundles } from './bundles.ts';
import { dapCycle, dapCycleAtOnce, dapSnapshot } from './dap.ts';
import { disRecords } from './dis.ts';
import { smallFiles } from './files.ts';
import { flat, flatChanged } from './flat.ts';
import { httpObject } from './http.ts';
import { maxComputeNdjson, maxComputeRead, maxComputeWrite } from './maxcompute.ts';
import { csvParsing, ndjsonParsing } from './parsing.ts';
import { prefixes } from './prefixes.ts';
import { sql } from './sql.ts';

export const CASES: readonly BenchCase[] = [
  prefixes,
  flat,
  flatChanged,
  smallFiles,
  httpObject,
  awsObject,
  csvParsing,
  ndjsonParsing,
  maxComputeRead,
  maxComputeNdjson,
  maxComputeWrite,
  dapSnapshot,
  dapCycle,
  dapCycleAtOnce,
  disRecords,
  sql,
  functionBundles,
];
