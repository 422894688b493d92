import { startStaticServer } from '../local/servers/static/server.ts';

// A server in a process of its own: `serve.ts FOLDER` prints its URL, and serves until it is killed.
const server = await startStaticServer({ root: process.argv[2]! });
console.log(server.url);
