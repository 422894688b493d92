import { startMaxComputeServer } from '../local/servers/maxcompute/server.ts';

// A MaxCompute server in a process of its own: `serve-maxcompute.ts FOLDER` prints where and for whom, and serves until it is killed.
const { url, project, credentials } = await startMaxComputeServer({ folder: process.argv[2]! });
const { accessId, accessKey } = credentials;
console.log(JSON.stringify({ url, project, accessId, accessKey }));
