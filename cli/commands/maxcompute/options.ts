import { type Command, Option } from 'commander';

/** Taken by every `maxcompute` command, before or after its name. */
export interface MaxComputeOptions {
  readonly project?: string;
  readonly endpoint?: string;
  readonly tunnelEndpoint?: string;
  readonly region?: string;
  readonly quota?: string;
  readonly schema?: string;
  readonly apiVersion?: '2' | '3';
}

export function addMaxComputeOptions(command: Command): Command {
  return command
    .optionsGroup(
      'Access (keys: ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, or ODPS_BEARER_TOKEN):',
    )
    .option('--project <name>', 'the project (ODPS_PROJECT_NAME)')
    .option('--endpoint <url>', 'its REST endpoint, which ends in /api (ODPS_ENDPOINT)')
    .option('--tunnel-endpoint <url>', 'where the rows are (ODPS_TUNNEL_ENDPOINT; default: asked for)')
    .option('--region <name>', 'sign by version 4 for this region (ODPS_REGION_NAME)')
    .option('--quota <name>', 'whose resources are used')
    .option('--schema <name>', 'of the tables (default: the project’s own)')
    .addOption(new Option('--api-version <version>', 'of the Storage API (default 2)').choices(['2', '3']));
}

export const list = (text: string): string[] =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');

/** For options that may be given several times. */
export const another = (text: string, before: readonly string[] = []): string[] => [...before, text];
