import { readFileSync } from 'node:fs';
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { unpack, verify } from '../../../shared/clients/dap/gzip.ts';
import { decompress } from '../../../shared/parsers/input/decompress.ts';
import { inChunks } from '../../support/byte-sinks.ts';
import { zipOf } from '../samples.ts';
import { Choices, chosen, type FuzzTarget, holds, outcomeOf } from '../target.ts';

const EXPANDED_MAX_BYTES = 128 * 1024 * 1024;
const LIMITS = { member: undefined, maxExpandedBytes: 2 ** 40, maxExpansionRatio: 100 } as const;

async function collected(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    holds(size <= EXPANDED_MAX_BYTES, 'what expands far stops');
    all.push(chunk);
  }
  return Buffer.concat(all);
}

const CODECS = ['auto', 'gzip', 'zstd', 'deflate', 'bzip2', 'zip'] as const;

async function runDecompress(data: Uint8Array): Promise<string> {
  const choices = new Choices(data);
  const compression = choices.pick(CODECS);
  const chunkSize = 1 + choices.number(200) * 50;
  const bytes = choices.rest();
  let unpacked: Buffer | undefined;
  const counters = { inputBytes: 0, expandedBytes: 0 } as Parameters<typeof decompress>[3];
  const outcome = await outcomeOf(async () => {
    const run = { label: 'x', temporaryFolder: '/tmp' };
    unpacked = await collected(decompress(inChunks(bytes, chunkSize), { ...LIMITS, compression }, run, counters));
  });
  if (compression === 'gzip') compare(bytes, unpacked, outcome);
  return `${compression} ${outcome}`;
}

/** zlib's own function is strict and lenient in the same places, but for what follows the last member. */
function compare(bytes: Buffer, unpacked: Buffer | undefined, outcome: string): void {
  let expected: Buffer | undefined;
  try {
    expected = gunzipSync(bytes, { maxOutputLength: EXPANDED_MAX_BYTES });
  } catch {
    holds(unpacked === undefined || bytes.length === 0, 'what zlib refuses is refused');
    return;
  }
  if (unpacked !== undefined) holds(unpacked.equals(expected), 'it unpacks to what zlib makes of it');
  else holds(/follows|Expansion/.test(outcome), `what zlib takes is taken: ${outcome}`);
}

async function runDapGzip(data: Uint8Array): Promise<string> {
  const choices = new Choices(data);
  const chunkSize = 1 + choices.number(200) * 50;
  const bytes = choices.rest();
  let unpacked: Buffer | undefined;
  const told: Uint8Array[] = [];
  const outcome = await outcomeOf(async () => {
    unpacked = await collected(unpack(inChunks(bytes, chunkSize), 'x'));
  });
  const verified = await outcomeOf(async () => {
    const stored = await collected(verify(inChunks(bytes, chunkSize), 'x', (chunk) => void told.push(chunk)));
    holds(stored.equals(bytes), 'what is verified passes as it is');
  });
  holds(outcome === verified, `to unpack and to verify find the same: ${outcome} | ${verified}`);
  if (unpacked) holds(unpacked.equals(Buffer.concat(told)), 'both unpack to the same');
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) compare(bytes, unpacked, outcome);
  return outcome;
}

const text = 'landfall '.repeat(20);
const members = Buffer.concat([gzipSync(text), gzipSync(''), gzipSync('x')]);

export const targets: readonly FuzzTarget[] = [
  {
    name: 'decompress',
    run: runDecompress,
    maxMs: 4000,
    maxPumpedBytes: 64 * 1024,
    seeds: () =>
      CODECS.flatMap((_, at) => [
        chosen([at, 3], members),
        chosen([at, 0], zstdCompressSync(text)),
        chosen([at, 1], zipOf({ a: text, 'b/': '', 'b/c': 'x' })),
        chosen(
          [at, 2],
          readFileSync(new URL('../../fixtures/formats/long.csv.bz2', import.meta.url)).subarray(0, 3000),
        ),
        chosen([at, 2], Buffer.from('425a68393141592653590000000000000000', 'hex')),
        chosen([at, 2], Buffer.from('425a683917724538509000000000', 'hex')),
      ]),
  },
  {
    name: 'dap-gzip',
    run: runDapGzip,
    maxPumpedBytes: 64 * 1024,
    seeds: () => [chosen([3], members), chosen([0], gzipSync(text).subarray(0, 25)), chosen([1], '{"key":{}}')],
    words: [gzipSync('')],
  },
];
