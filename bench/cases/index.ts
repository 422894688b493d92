import type { BenchCase } from '../measure.ts';
import { awsObject } from './aws.ts';
import { functionBundles } from './bundles.ts';
import { smallFiles } from './files.ts';
import { flat, flatChanged } from './flat.ts';
import { httpObject } from './http.ts';
import { csvParsing, ndjsonParsing } from './parsing.ts';
import { prefixes } from './prefixes.ts';

export const CASES: readonly BenchCase[] = [
  prefixes,
  flat,
  flatChanged,
  smallFiles,
  httpObject,
  awsObject,
  csvParsing,
  ndjsonParsing,
  functionBundles,
];
