import { it, vi } from 'vitest';
import { History } from '../support/history.ts';

vi.mock('node:zlib', async (original) => {
  const zlib = await original<typeof import('node:zlib')>();
  type Done = (error: Error | null, data?: Buffer) => void;
  return {
    ...zlib,
    gzip: (data: Uint8Array, options: object, done: Done) => done(null, zlib.gzipSync(data, options)),
    gunzip: (data: Uint8Array, done: Done) => {
      try {
        done(null, zlib.gunzipSync(data));
      } catch (error) {
        done(error as Error);
      }
    },
  };
});
it('x', async () => {
  const h = new History(Number(process.env.FIRST));
  const told = h.told;
  const pushed: string[] = told;
  const orig = h.world.process.bind(h.world);
  const err = (await h.walk().catch((e: Error) => e.message)) as string;
  console.log(err);
  const keys = String(err).split(': ').at(-1)!.split(', ');
  const nodes = keys.map((k) => k.split('/')[2]);
  h.world.calls.forEach((c, i) => {
    const text = JSON.stringify(c.args, (_k, v) =>
      v?.type === 'Buffer' ? Buffer.from(v.data).toString('latin1') : v instanceof Set ? [...v] : v,
    );
    if (process.env.WATCH && text.includes(process.env.WATCH) && c.writes)
      console.log('W', i, c.step, c.port, c.method, text.slice(0, 420));
    const m = keys.filter((k) => text.includes(k.split('/').at(-1)!.replace('.bin', '')));
    const g = c.method === 'put' && String(c.args[0]).includes('/garbage/');
    const n = nodes.filter((k) => text.includes(k!));
    if (m.length || (n.length && (g || c.method.startsWith('del'))))
      console.log(i, c.step, c.port, c.method, text.slice(0, 260));
  });
  if (process.env.TELL) console.log(told.join('\n'));
}, 60000);
