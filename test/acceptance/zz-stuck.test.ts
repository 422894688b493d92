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
  const close = h.world.close.bind(h.world);
  h.world.close = () => {};
  console.log(await h.walk().catch((e: Error) => e.message));
  const seen = async (id: string, pad: string) => {
    const l = await h.world.nodes.load('p', id);
    if (!l) return console.log(pad, id, 'none');
    const { node, shards } = l;
    console.log(
      pad,
      id,
      node.path.join('/'),
      node.state,
      node.plan,
      JSON.stringify(node.layout),
      'waits',
      node.shards?.join(),
      'done',
      [...node.done].join(),
      'until',
      (node as any).listingUntil,
    );
    for (const s of shards.values())
      console.log(
        pad,
        ' shard',
        s.shard,
        s.plan,
        'diffed',
        s.diffed,
        'total',
        [...(s.total ?? [])].join(),
        s.totalKnown,
        'done',
        [...s.done].join(),
      );
    for (const item of await h.world.children(node)) {
      console.log(pad, '  ', item.sk, item.plan, item.due, item.gone, item.failed, item.group, item.child);
      if (item.child) await seen(item.child, pad + '      ');
    }
  };
  await seen((await h.world.runs.active('p'))!.root, '');
  close();
}, 60000);
