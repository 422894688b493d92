import { crc32 } from 'node:zlib';
import {
  arrowSchemaOf,
  batchOfRows,
  Compression,
  messagesFrom,
  type TypeName,
} from '../../shared/clients/maxcompute/index.ts';

const COLUMNS = {
  i: 'bigint',
  s: 'string',
  d: 'decimal(10,2)',
  t: 'timestamp',
  a: 'array<string>',
  m: 'map<string,int>',
};

/** A small Arrow stream of several types. */
export async function arrowStream(compression: keyof typeof Compression): Promise<Buffer> {
  const dataColumns = Object.entries(COLUMNS).map(([name, type], columnId) => ({
    name,
    columnId,
    typeName: type as TypeName,
    type,
    nullable: true,
    isDistributionKey: false,
    hasDefaultValue: false,
    defaultValue: null,
    parts: [],
  }));
  const schema = await arrowSchemaOf({ dataColumns, systemColumns: [] });
  const row = {
    i: 2n ** 62n,
    s: 'é',
    d: '-0.01',
    t: '1969-12-31T23:59:59.999999999',
    a: ['x', null],
    m: new Map([['k', 1]]),
  };
  const batch = await batchOfRows(schema, [row, { i: null, s: null, d: null, t: null, a: null, m: null }]);
  const chunks: Uint8Array[] = [];
  for await (const message of messagesFrom([batch], Compression[compression])) chunks.push(...message.chunks);
  return Buffer.concat([...chunks, Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0)]);
}

/** A zip file whose members are not packed: what is in them stays as it is given. */
export function zipOf(members: Readonly<Record<string, Uint8Array | string>>): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(members)) {
    const bytes = Buffer.from(content as Uint8Array);
    const about = Buffer.alloc(26);
    about.writeUInt16LE(20, 0);
    about.writeUInt32LE(crc32(bytes), 10);
    about.writeUInt32LE(bytes.length, 14);
    about.writeUInt32LE(bytes.length, 18);
    about.writeUInt16LE(Buffer.byteLength(name), 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    const file = Buffer.concat([Buffer.from('PK\x03\x04'), about, Buffer.from(name), bytes]);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), about, place, Buffer.from(name)]));
    files.push(file);
    offset += file.length;
  }
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...files, listed, end]);
}
