import type { FuzzTarget } from '../target.ts';

/** Where each target is, so that only what is asked for is loaded. */
const FILES: Readonly<Record<string, () => Promise<{ readonly targets: readonly FuzzTarget[] }>>> = {
  'json ': () => import('./json.ts'),
  'parse-csv parse-json parse-text ': () => import('./parse-text.ts'),
  'parse-parquet parse-avro parse-arrow parse-excel parse-excel-xml ': () => import('./parse-binary.ts'),
  'decompress dap-gzip ': () => import('./decompress.ts'),
  'maxcompute-arrow maxcompute-coding maxcompute-blobs dis-protobuf dis-csv dap-records maxcompute-values ': () =>
    import('./wire.ts'),
  'dap-replies dis-replies maxcompute-replies transport ': () => import('./replies.ts'),
  'messages objects items listings ': () => import('./state.ts'),
  'texts schemas pipelines ': () => import('./options.ts'),
  'http-index ': () => import('./http.ts'),
  'connector-service ': () => import('./service.ts'),
  'maxcompute-server dap-server dis-server ': () => import('./servers.ts'),
};

export const TARGET_NAMES: readonly string[] = Object.keys(FILES).flatMap((names) => names.trim().split(/\s+/));

export async function findTarget(name: string): Promise<FuzzTarget> {
  const load = Object.entries(FILES).find(([names]) => names.split(' ').includes(name))?.[1];
  const found = (await load?.())?.targets.find((target) => target.name === name);
  if (!found) throw new Error(`there is no target ${name}; there are ${TARGET_NAMES.join(', ')}`);
  return found;
}
