import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { newMeter } from '../../../shared/core/meter.ts';
import { folderObjects } from '../../../shared/landing/folder.ts';
import { meteredObjects } from '../../../shared/landing/metered.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

describe('meteredObjects', () => {
  it('counts requests and bytes as S3 bills them', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'landfall-metered-'));
    folders.push(folder);
    const meter = newMeter();
    const objects = meteredObjects(folderObjects(folder, { exclusively: async (work) => work() }), meter, 'bucket');

    const writer = objects.create('large');
    await writer.write(new Uint8Array(9 * 1024 * 1024));
    await writer.close();
    await objects.create('dropped').abort();
    await objects.put('small', new Uint8Array(5));
    await objects.put('small', new Uint8Array(7), { ifAbsent: true });
    await objects.get('small');
    for await (const chunk of objects.read('large', { start: 3, end: 13 })) expect(chunk).toHaveLength(10);
    await objects.head('small');
    for await (const key of objects.list('')) expect(key).toMatch(/large|small/);
    await objects.delete(Array.from({ length: 1001 }, (_, n) => `garbage/${n}`));

    const line = (operation: string, requests: number, bytes = 0) => ({
      ...{ service: 's3', operation, resource: 'bucket', requests, units: 0, bytes },
    });
    expect(meter.snapshot()).toEqual([
      // Two parts, the beginning and the end of the upload; and two small ones, of which one was refused.
      line('put', 4 + 2, 9 * 1024 * 1024 + 5),
      line('get', 2, 15),
      line('head', 1),
      line('list', 1),
      line('delete', 2),
    ]);
  });
});
