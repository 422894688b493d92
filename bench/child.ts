import { CASES } from './cases/index.ts';
import type { ChildTask, Figures } from './measure.ts';

/** One task of one case in this process: `child.ts CASE TASK FOLDER PREPARED`. The last line it prints are its figures. */
const [name, task, folder, prepared] = process.argv.slice(2) as [string, ChildTask, string, string];
const one = CASES.find((known) => known.name === name);
if (!one) throw new Error(`there is no case ${name}`);

async function run(): Promise<Figures> {
  if (task === 'prepare') return (await one!.prepare?.(folder)) ?? {};
  if (task === 'measure') return one!.measure(folder, JSON.parse(prepared) as Figures);
  return one!.peers!.find((peer) => task === `peer:${peer.name}`)!.run(folder);
}

console.log(JSON.stringify(await run()));
