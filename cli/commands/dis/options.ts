import type { Command } from 'commander';

/** Taken by every `dis` command, before or after its name. */
export interface DisOptions {
  readonly endpoint?: string;
  readonly region?: string;
  readonly projectId?: string;
  readonly accessKey?: string;
  readonly secretKey?: string;
}

export function addDisOptions(command: Command): Command {
  return command
    .optionsGroup('Access:')
    .option('--endpoint <url>', 'where the service is (DIS_ENDPOINT; default: that of the region)')
    .option('--region <name>', 'such as eu-de (DIS_REGION)')
    .option('--project-id <id>', 'of the project (DIS_PROJECT_ID)')
    .option('--access-key <key>', 'of the credentials (DIS_ACCESS_KEY; or a token in DIS_TOKEN)')
    .option('--secret-key <key>', 'of the credentials; other users may see it here, so better in DIS_SECRET_KEY');
}
