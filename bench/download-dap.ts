import { openDap, type ServedDap } from './dap.ts';
import { peakRssMib, timed } from './measure.ts';

// The client and nothing beside it: `download-dap.ts SERVER TABLE FOLDER [unverified]`, with the server as JSON. Prints its figures.
const [server, table, folder, how] = process.argv.slice(2) as [string, string, string, string | undefined];
const { seconds, result } = await timed(async () => {
  await using session = openDap(JSON.parse(server) as ServedDap, { verifyDownloads: how !== 'unverified' });
  return await session.downloadTableData('canvas', table, { format: 'jsonl' }, folder);
});
console.log(JSON.stringify({ seconds, peakRssMib: peakRssMib(), files: result.downloadedFiles.length }));
