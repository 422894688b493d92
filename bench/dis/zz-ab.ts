import { disRecords } from '../cases/dis.ts';
import { mkdtempSync } from 'node:fs';
const folder = mkdtempSync('/tmp/dis-ab-');
await disRecords.prepare!(folder);
const official = disRecords.peers![1]!;
for (let i = 0; i < 3; i++) {
  console.log('ours', JSON.stringify(await disRecords.measure(folder, {})));
  console.log('offi', JSON.stringify(await official.run(folder)));
}
