import { startDisServer } from '../../local/servers/dis/server.ts';

// A server in a process of its own: `serve.ts FOLDER` prints where it is and who may use it, and serves until it is killed.
const server = await startDisServer({ folder: process.argv[2]! });
const { url, endpoint, region, credentials } = server;
console.log(JSON.stringify({ url, endpoint, region, ...credentials }));
