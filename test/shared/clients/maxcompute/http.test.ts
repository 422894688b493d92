import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { zstdCompressSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import {
  Compression,
  MaxComputeClient,
  type MaxComputeClientOptions,
  NO_RETRY,
  type StorageApi,
} from '../../../../shared/clients/maxcompute/index.ts';
import { nodeFetch } from '../../../../shared/clients/transport/node-http.ts';
import { collect, failure } from '../../../support/client-calls.ts';
import { ACCESS_ID, inPieces, SECRET } from './harness.ts';
import { arrowBytes } from './rows.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(listener: RequestListener, options: MaxComputeClientOptions = {}): Promise<StorageApi> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return tableAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, options);
}

function tableAt(tunnelEndpoint: string, options: MaxComputeClientOptions = {}): StorageApi {
  const credentials = { accessId: ACCESS_ID, accessKey: SECRET };
  return new MaxComputeClient({ project: 'p', tunnelEndpoint, credentials, retry: NO_RETRY, ...options }).table('t');
}

const stream = { sessionId: 's', streamId: 'a', columnIndex: 1 };

describe('over the network', () => {
  it('a body that is packed as a whole comes as it was sent, whatever it says', async () => {
    const packed = zstdCompressSync(arrowBytes('all_types_3_rows'));
    const table = await serve((_request, reply) => {
      reply.setHeader('content-encoding', 'zstd').end(packed);
    });

    const landed = await collect(table.readRowsStream({ sessionId: 's', compression: Compression.ZSTD }).bytes());

    expect(Buffer.concat(landed).equals(arrowBytes('all_types_3_rows'))).toBe(true);
  });

  it('bytes have a length, streams come in chunks', async () => {
    const seen: unknown[] = [];
    const table = await serve(async (request, reply) => {
      const body = Buffer.concat(await collect(request as AsyncIterable<Uint8Array>));
      seen.push([request.headers['content-length'], request.headers['transfer-encoding'], body.toString()]);
      reply.end(JSON.stringify({ BlobReference: 'YQ==' }));
    });

    await table.abortWriteSession('s');
    await table.writeBlobStream(stream, inPieces(Buffer.from('hello'), 2));

    expect(seen).toEqual([
      ['2', undefined, '{}'],
      [undefined, 'chunked', 'hello'],
    ]);
  });

  it('a body that breaks off is a lost connection', async () => {
    const table = await serve((_request, reply) => {
      reply.write(arrowBytes('all_types_3_rows').subarray(0, 500));
      setImmediate(() => reply.destroy());
    });

    expect(await failure(collect(table.readRowsStream({ sessionId: 's' }).bytes()))).toMatchObject({
      name: 'ConnectionLostError',
      retryable: true,
    });
  });

  it('an answer before the request is over counts', async () => {
    const table = await serve((_request, reply) => {
      reply.writeHead(413, { connection: 'close' }).end('too large');
    });
    const { promise: isEnded, resolve } = Promise.withResolvers<void>();
    const endless = (async function* () {
      try {
        for (;;) {
          yield Buffer.alloc(65_536);
          await new Promise(setImmediate);
        }
      } finally {
        resolve();
      }
    })();

    expect(await failure(table.writeBlobStream(stream, endless))).toMatchObject({ name: 'RequestTooLargeError' });
    await isEnded;
  });

  it('a source may take its time', async () => {
    const table = await serve(
      (request, reply) => void request.resume().on('end', () => reply.end('{"BlobReference":"YQ=="}')),
      { idleTimeoutMs: 30 },
    );
    const slow = (async function* () {
      for (let chunk = 0; chunk < 2; chunk++) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        yield Buffer.from('x');
      }
    })();

    expect(await table.writeBlobStream(stream, slow)).toMatchObject({ blobReference: 'YQ==' });
  });

  it('nobody at the address is a refused connection', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();

    expect(await failure(tableAt(`http://127.0.0.1:${port}`).createReadSession())).toMatchObject({
      name: 'ConnectionRefusedError',
      retryable: true,
    });
  });

  it('a request that is over before it begins fails once, and its body with it', async () => {
    const send = nodeFetch({ connectTimeoutMs: 1000, own: () => ['http://127.0.0.1:9/'] });
    const body = inPieces(Buffer.from('rows'), 2);
    const init = { method: 'POST', headers: {}, body, signal: AbortSignal.abort(new Error('no time left')) };

    expect(await failure(send('http://127.0.0.1:9/', init))).toMatchObject({ message: 'no time left' });
    // A failure that nobody hears of would end the process.
    await new Promise((resolve) => setImmediate(resolve));
  });

  it('a service that says nothing is given up, before its answer and within it', async () => {
    const before = await serve(() => {}, { idleTimeoutMs: 30 });
    const within = await serve((_request, reply) => void reply.write('{'), { idleTimeoutMs: 30 });

    for (const table of [before, within]) {
      expect(await failure(table.createReadSession())).toMatchObject({
        name: 'ConnectionLostError',
        message: 'TableCreateReadSession: not a byte within 30 ms',
      });
    }
  });

  it('what a source throws is not taken for the network’s', async () => {
    const table = await serve((request, reply) => void request.resume().on('end', () => reply.end('{}')));
    const source = inPieces(Buffer.from('hello'), 2, new Error('disk'));

    expect((await failure(table.writeBlobStream(stream, source))).message).toBe('disk');
  });

  it('the global fetch does, too', async () => {
    const table = await serve((_request, reply) => void reply.end(arrowBytes('all_types_3_rows')), { fetch });

    expect(await collect(table.readRowsStream({ sessionId: 's' }))).toHaveLength(1);
  });
});
