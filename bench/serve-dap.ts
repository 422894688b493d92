import { type DapServerOptions, startDapServer } from '../local/servers/dap/server.ts';

// A server in a process of its own: `serve-dap.ts OPTIONS` with `{rows, extraTables?, changing?, ofCanvas?, jobSpeed?}` as JSON prints
// `{url, clientId, clientSecret}`, and serves until it is killed. Of the extra tables only so many change.
interface Options extends Pick<DapServerOptions, 'rows' | 'extraTables' | 'jobSpeed'> {
  readonly changing?: number;
  readonly ofCanvas?: boolean;
}

const {
  changing = Infinity,
  ofCanvas = true,
  jobSpeed = Infinity,
  ...options
} = JSON.parse(process.argv[2]!) as Options;
const server = await startDapServer({
  ...options,
  jobSpeed,
  ...(ofCanvas ? {} : { tables: [] }),
  isSilent: ({ name }) => Number(/^extra_(\d+)$/.exec(name)?.[1] ?? 0) > changing,
});
const { clientId, clientSecret } = server.credentials;
console.log(JSON.stringify({ url: server.url, clientId, clientSecret }));
