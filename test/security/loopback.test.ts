import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startDapServer } from '../../local/servers/dap/server.ts';
import { startDisServer } from '../../local/servers/dis/server.ts';
import { startMaxComputeServer } from '../../local/servers/maxcompute/server.ts';
import { startStaticServer } from '../../local/servers/static/server.ts';
import { Workplace } from '../support/terminal.ts';

interface Running {
  readonly url: string;
  close(): Promise<void>;
}

const SERVERS: Readonly<Record<string, () => Promise<Running>>> = {
  dap: () => startDapServer({ rows: 1 }),
  dis: () => startDisServer({}),
  maxcompute: () => startMaxComputeServer({}),
  static: () => startStaticServer({ root: import.meta.dirname }),
};

/** Whether somebody answers at an address of this machine. */
const answers = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, host);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

describe('a server of ours', () => {
  // All of 127.0.0.0/8 is this machine, so whoever listened to every address would answer at another of them.
  it.each(Object.keys(SERVERS))('listens on the loopback address alone: %s', async (name) => {
    const server = await SERVERS[name]!();
    onTestFinished(() => server.close());
    const { hostname, port } = new URL(server.url);

    expect(hostname).toBe('127.0.0.1');
    expect(await answers('127.0.0.1', Number(port))).toBe(true);
    expect(await answers('127.0.0.2', Number(port))).toBe(false);
  });

  it.each(['0.0.0.0', '::', '192.0.2.1', 'localhost.example'])(
    'cannot be opened to others: landfall serve --host %s',
    async (host) => {
      const place = new Workplace();

      const { code, err } = await place.landfall(['serve', '--host', host]);

      expect(code).toBe(2);
      expect(err).toContain('127.0.0.1');
    },
  );

  it.each(['dap', 'dis', 'maxcompute'])('has no option to do so: landfall emulate %s', async (name) => {
    const { code, err } = await new Workplace().landfall(['emulate', name, '--host', '0.0.0.0']);

    expect(code).toBe(2);
    expect(err).toContain('--host');
  });
});
