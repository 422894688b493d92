import { readdirSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { gzipSync } from 'node:zlib';
import type { Listed } from '../../../shared/connectors/connector.ts';
import { checkpointOf } from '../../../shared/connectors/dis/checkpoint.ts';
import { positionOf, rangeOf } from '../../../shared/connectors/dis/position.ts';
import { parseCursor } from '../../../shared/connectors/http/version.ts';
import { parseListed } from '../../../shared/connectors/metadata.ts';
import { canonicalJson, isObject, type JsonValue } from '../../../shared/core/json.ts';
import { silentLogger } from '../../../shared/core/logger.ts';
import { Redactor } from '../../../shared/core/redaction.ts';
import { readGarbage } from '../../../shared/landing/garbage.ts';
import { manifestLeaves, readLatest, readNodeManifest, readPart } from '../../../shared/landing/manifest.ts';
import { checkCursor } from '../../../shared/listing/list-node.ts';
import { lineageId, listingChild, metadataIdOf } from '../../../shared/listing/listing.ts';
import { settleBatch } from '../../../shared/queue/batch.ts';
import * as messages from '../../../shared/queue/messages.ts';
import { fromAttributeMap, toAttributeMap } from '../../../shared/tables/attribute-value.ts';
import { decodeItem, encodeItem } from '../../../shared/tables/item-json.ts';
import type { Item } from '../../../shared/tables/table.ts';
import { MemoryObjects } from '../../support/memory-objects.ts';
import { Choices, chosen, type FuzzTarget, holds, outcomeOf, outcomeOfSync } from '../target.ts';

function jsonOf(data: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(data).toString());
  } catch {
    return undefined;
  }
}

const PARSERS = [
  messages.parseListObjects,
  messages.parseReadBytes,
  messages.parsePollJob,
  messages.parseStreamUpload,
  messages.parseFinishRefresh,
  messages.parseStartRefresh,
  messages.parseSweep,
] as const;

/** What travels on queues, or comes as an event: refused by name, or the same when it is read again. */
async function runMessages(data: Uint8Array): Promise<string> {
  const choices = new Choices(data);
  const at = choices.number(PARSERS.length + 1);
  const text = choices.rest().toString();
  const body = jsonOf(Buffer.from(text));
  const parse = PARSERS[at];
  if (parse) {
    return outcomeOfSync(() => {
      const message = parse(body);
      holds(isDeepStrictEqual(parse(JSON.parse(JSON.stringify(message))), message), 'a message reads again as it was');
    });
  }
  const records = [{ messageId: 'm', receiptHandle: 'r', body: text, attributes: { ApproximateReceiveCount: '1' } }];
  return outcomeOf(async () => {
    const inbox = {
      queue: 'read-bytes',
      queues: { retryAfter: async () => {} },
      log: silentLogger,
      redactor: new Redactor(),
    } as const;
    const { batchItemFailures } = await settleBatch(records, inbox, async (one) => void messages.parseReadBytes(one));
    holds(batchItemFailures.length <= 1, 'a batch is answered');
    return `${batchItemFailures.length} failures`;
  });
}

/** Objects of our own, as somebody else may have left them. */
async function runObjects(data: Uint8Array): Promise<string> {
  const choices = new Choices(data);
  const kind = choices.number(5);
  const isPacked = choices.number(2) === 0;
  const bytes = choices.rest();
  const objects = new MemoryObjects();
  await objects.put('k', isPacked && kind < 3 ? gzipSync(bytes, { level: 1 }) : bytes);
  return outcomeOf(async () => {
    if (kind === 0) await readPart(objects, 'k');
    else if (kind === 1) await readNodeManifest(objects, 'k');
    else if (kind === 2) for await (const _leaf of manifestLeaves(objects, 'k'));
    else if (kind === 3) await readLatest(objects, 'k');
    else await readGarbage(objects, 'k');
  });
}

/** An item of a table: what is written reads back, in both backends' forms. */
function runItems(data: Uint8Array): string {
  const value = jsonOf(data);
  if (!isObject(value)) {
    return outcomeOfSync(() => void decodeItem({ pk: 'p', sk: 's' }, Buffer.from(data).toString()), SyntaxError);
  }
  // Names of attributes are ours; what is in them is anybody's.
  const item = { metadata: value, pk: 'p', sk: 's' } as unknown as Item;
  return outcomeOfSync(() => {
    const stored = encodeItem(item);
    holds(canonicalJson(decodeItem({ pk: 'p', sk: 's' }, stored)) === canonicalJson(item), 'an item reads back');
    const carried = fromAttributeMap(toAttributeMap(item));
    holds(canonicalJson(carried) === canonicalJson(item), 'an item comes back from the wire');
  });
}

/** What a connector lists, and the cursors and positions that it gave and gets back. */
function runListings(data: Uint8Array): string {
  const choices = new Choices(data);
  const kind = choices.number(6);
  const value = jsonOf(choices.rest()) as JsonValue;
  return outcomeOfSync(() => {
    if (kind === 0) {
      const listed = parseListed(value as Listed, ['a']);
      listingChild(listed);
      holds(Buffer.byteLength(JSON.stringify(listed.metadata)) <= 16 * 1024, 'metadata is small');
      holds(metadataIdOf(listed.metadata as never).length === 16, 'metadata has an id');
      lineageId(listed.metadata as never);
      const again = parseListed(JSON.parse(JSON.stringify(listed.metadata)) as Listed, ['a']);
      holds(isDeepStrictEqual(again.metadata, listed.metadata), 'metadata is handed back as it was');
      holds(({} as { polluted?: unknown }).polluted === undefined, 'no prototype changes');
      return listed.kind;
    }
    if (kind === 1) checkCursor(value);
    else if (kind === 2) parseCursor(value);
    else if (kind === 3) positionOf(value);
    else if (kind === 4 && isObject(value)) rangeOf(value as never);
    else
      checkpointOf({
        sequenceNumber: '1',
        metadata: typeof value === 'string' ? value : JSON.stringify(value),
      } as never);
    return `${kind}`;
  });
}

const events = new URL('../../../events/', import.meta.url);

function eventTexts(): string[] {
  return readdirSync(events)
    .filter((file) => file.endsWith('.json'))
    .flatMap((file) => {
      const text = readFileSync(new URL(file, events), 'utf8');
      const { Records } = JSON.parse(text) as { Records?: { body: string }[] };
      return Records ? [text, Records[0]!.body] : [text];
    });
}

const ENTRY = {
  kind: 'leaf',
  name: 'a',
  fingerprint: 'f',
  sha256: 'ab',
  bytes: 1,
  run: 1,
  reason: 'NEW',
  objects: [{ key: 'data/a', bytes: 1, etag: '"x"' }],
  number: 3,
};
const MANIFEST = {
  node: 'n',
  path: ['a'],
  plan: { run: 1, version: 1 },
  parts: [{ shard: 0, key: 'k' }],
  shown: { from: 0, to: 9 },
};
const LISTED = {
  name: 'a',
  fingerprint: 'f',
  is_prefix: false,
  size: 1,
  lastModified: '2026-01-01T00:00:00Z',
  deep: { __proto__: null, x: [1, null, true, 'é'] },
};

export const targets: readonly FuzzTarget[] = [
  {
    name: 'messages',
    run: runMessages,
    seeds: () => eventTexts().flatMap((text) => [...PARSERS.keys(), PARSERS.length].map((at) => chosen([at], text))),
    words: ['"plan":{', '"run":', '"toString":1', '__proto__', '"force":"all"', '[[]]'],
  },
  {
    name: 'objects',
    run: runObjects,
    seeds: () => [
      chosen([0, 0], `${JSON.stringify(ENTRY)}\n${JSON.stringify({ ...ENTRY, kind: 'folder', manifest: 'k' })}\n`),
      chosen([1, 0], JSON.stringify(MANIFEST)),
      chosen([2, 0], JSON.stringify(MANIFEST)),
      chosen([3, 0], JSON.stringify({ run: 1, publishedAt: 1, manifest: 'k', totals: {}, files: {} })),
      chosen([4, 0], `${JSON.stringify({ kind: 'objects', node: 'n', name: 'a', keys: ['k'] })}\n`),
      chosen([0, 1], gzipSync('{}')),
    ],
    words: ['"parts":[]', '"parts":[{"key":"k"}]', '"kind":"tombstone"', '\n', 'null'],
  },
  {
    name: 'items',
    run: runItems,
    seeds: () => [
      '{"a":1,"b":"x","c":true,"d":null,"e":[1,{"f":2}],"__proto__":{"x":1},"\\\\__proto__":1}',
      '{"set":{"$set":["a"]},"n":1.5e300,"constructor":{}}',
      '{"a":{"b":{"c":{}}}}',
    ],
    words: ['__proto__', '\\\\__proto__', 'constructor', '"S":', '"N":', '{"$', '\\ud800'],
  },
  {
    name: 'listings',
    run: runListings,
    seeds: () => [
      chosen([0], JSON.stringify(LISTED)),
      chosen(
        [0],
        '{"name":"a","fingerprint":"f","isPrefix":true,"kind":"job","job":{"taskType":"t","inputs":{}},"__proto__":{"polluted":1}}',
      ),
      chosen([1], '{"after":["a",1]}'),
      chosen([2], '{"offset":5,"etag":"\\"x\\"","modified":"Tue, 06 Jan 2026 10:00:00 GMT","sizeBytes":9}'),
      chosen([3], '{"streamId":"s","next":"5"}'),
      chosen([4], '{"streamId":"s","partition":0,"from":"1","to":"5"}'),
      chosen([5], '{"owner":"landfall:a","position":"5"}'),
    ],
    words: ['__proto__', '"polluted":', 'toString', '\\u0000', '\\ud800', '"is_prefix":true', '"kind":"feed"'],
  },
];
