import { parseArgs } from 'node:util';
import { markdown, model, standingMarkdown } from './table.ts';

const HELP = `Prints what refreshes cost and how long they take on AWS, and which quota they come to first: on paper.

  npm run bench:model -- [--leaves N] [--folders N] [--set NAME=VALUE]… [--param NAME=VALUE]… [--json]

  --leaves   partitions of a folder; default 1,000
  --folders  folders of a folder; default 1,000
  --set      a quota or a speed that is another than in shared/costs/aws-us-east-1.json, such as lambda.concurrency=10
  --param    a parameter of serverless.yml, such as readConcurrency=200
  --json     everything that is known of each row
`;

const { values } = parseArgs({
  options: {
    leaves: { type: 'string' },
    folders: { type: 'string' },
    set: { type: 'string', multiple: true, default: [] },
    param: { type: 'string', multiple: true, default: [] },
    json: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});

const pairs = (all: readonly string[]): [string, string][] =>
  all.map((pair) => {
    const at = pair.indexOf('=');
    if (at < 1) throw new Error(`expected NAME=VALUE, got ${pair}\n\n${HELP}`);
    return [pair.slice(0, at), pair.slice(at + 1)];
  });

if (values.help) console.log(HELP);
else {
  const made = await model({
    ...(values.leaves === undefined ? {} : { leaves: Number(values.leaves) }),
    ...(values.folders === undefined ? {} : { folders: Number(values.folders) }),
    settings: Object.fromEntries(pairs(values.set).map(([name, value]) => [name, Number(value)])),
    params: Object.fromEntries(pairs(values.param)),
  });
  console.log(values.json ? JSON.stringify(made, undefined, 2) : `${markdown(made)}\n\n${standingMarkdown(made)}`);
}
