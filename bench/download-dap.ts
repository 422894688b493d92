import { openDap, type ServedDap } from './dap.ts';
import { peakRssMib, timed } from './measure.ts';

// The client and nothing beside it: `download-dap.ts SERVER TABLE FOLDER`, with the server as JSON. Prints its figures.
const [server, table, folder] = process.argv.slice(2) as [string, string, string];
const { seconds, result } = await timed(async () => {
  await using session = openDap(JSON.parse(server) as ServedDap);
  return await session.downloadTableData('canvas', table, { format: 'jsonl' }, folder);
});
console.log(JSON.stringify({ seconds, peakRssMib: peakRssMib(), files: result.downloadedFiles.length }));
