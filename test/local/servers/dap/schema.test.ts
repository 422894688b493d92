import { describe, expect, it } from 'vitest';
import { Namespaces } from '../../../../local/servers/dap/namespaces.ts';
import { DEFAULT_TABLES } from '../../../../local/servers/dap/tables/catalog.ts';
import type { TableDefinition } from '../../../../local/servers/dap/tables/definition.ts';
import { latestSchemaVersion, tableSchema } from '../../../../local/servers/dap/tables/schema.ts';
import type { Value } from '../../../../local/servers/dap/tables/value.ts';
import { isObject, type JsonObject } from '../../../../shared/core/json.ts';

const VERSIONS = DEFAULT_TABLES.flatMap((definition) =>
  Array.from({ length: latestSchemaVersion(definition) }, (_, index) => ({ definition, version: index + 1 })),
).map(
  ({ definition, version }) =>
    [`${definition.namespace}.${definition.name} version ${version}`, definition, version] as const,
);

/** What a node may carry for the vendor's client to load its table. */
const KEYWORDS: Readonly<Record<string, readonly string[]>> = {
  string: ['format', 'const', 'default', 'examples', 'enum', 'minLength', 'maxLength'],
  integer: ['format', 'const', 'default', 'examples', 'enum', 'minimum', 'maximum'],
  number: [
    'format',
    'const',
    'default',
    'examples',
    'minimum',
    'maximum',
    'exclusiveMinimum',
    'exclusiveMaximum',
    'multipleOf',
  ],
  boolean: ['const', 'default', 'examples'],
  array: ['items'],
  object: ['properties', 'required', 'additionalProperties'],
};
const FORMATS = ['int16', 'int32', 'int64', 'float64', 'date-time', 'date', 'uuid', 'ipv4', 'ipv6', undefined];
const PYTHON_KEYWORDS = new Set(
  'False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield'.split(
    ' ',
  ),
);

function checkNode(node: JsonObject, definitions: JsonObject, seen: ReadonlySet<string>): void {
  const { title: _title, description: _description, ...rest } = node;
  if (typeof rest.$ref === 'string') {
    expect(Object.keys(rest)).toEqual(['$ref']);
    const name = /^#\/definitions\/(\w+)$/.exec(rest.$ref)?.[1] ?? '';
    expect(seen).toContain(name);
    return;
  }
  if (rest.oneOf) {
    expect(Object.keys(rest)).toEqual(['oneOf']);
    for (const member of rest.oneOf as JsonObject[]) checkNode(member, definitions, seen);
    return;
  }
  const allowed = KEYWORDS[String(rest.type)] ?? [];
  expect(Object.keys(rest).filter((name) => name !== 'type' && !allowed.includes(name))).toEqual([]);
  expect(FORMATS).toContain(rest.format);
  if (Array.isArray(rest.enum)) {
    const words = rest.enum.map((value) => String(value).replace(/\W/g, '_'));
    expect(new Set(words).size).toBe(words.length);
    expect(words).not.toContain('');
  }
  if (rest.type === 'array')
    expect(['string', 'number', 'integer', 'boolean']).toContain((rest.items as JsonObject).type);
  if (rest.type === 'object') {
    expect(rest.additionalProperties).toBe(false);
    for (const [name, property] of Object.entries(rest.properties as JsonObject)) {
      expect(name).toMatch(/^[a-z_][a-z0-9_]*$/);
      expect(PYTHON_KEYWORDS).not.toContain(name);
      checkNode(property as JsonObject, definitions, seen);
    }
  }
}

describe.each(VERSIONS)('the schema of %s', (_name, definition, version) => {
  const schema = tableSchema(definition, version);

  it('stays within what the vendor’s client can load', () => {
    const { $schema, definitions = {}, ...node } = schema;
    expect($schema).toBe('https://json-schema.org/draft/2020-12/schema');
    const properties = node.properties as JsonObject;
    expect(Object.keys(properties)).toEqual(['meta', 'key', 'value']);
    expect(Object.keys((properties.key as JsonObject).properties as JsonObject)).toHaveLength(1);
    const seen = new Set<string>();
    for (const [name, inner] of Object.entries(definitions as JsonObject)) {
      checkNode(inner as JsonObject, definitions as JsonObject, seen);
      seen.add(name);
    }
    checkNode(node, definitions as JsonObject, seen);
  });

  it('keeps every column and every requirement of the version before', () => {
    if (version === 1) return;
    const columns = (of: JsonObject) => ((of.properties as JsonObject).value as JsonObject).properties as JsonObject;
    const before = tableSchema(definition, version - 1);

    expect(Object.keys(columns(schema))).toEqual(expect.arrayContaining(Object.keys(columns(before))));
    expect(schema).not.toEqual(before);
  });

  it('is obeyed by the rows', () => {
    for (const row of rowsOf(definition, version)) {
      if (row) expect(complaints(row, (schema.properties as JsonObject).value as JsonObject, schema)).toEqual([]);
    }
  });
});

describe('the tables', () => {
  it('are at least twelve of Canvas, with names and definitions that are unique in their namespace', () => {
    const canvas = DEFAULT_TABLES.filter(({ namespace }) => namespace === 'canvas');
    expect(canvas.length).toBeGreaterThanOrEqual(12);
    expect(new Set(canvas.map(({ name }) => name)).size).toBe(canvas.length);
    const definitions = canvas.flatMap((table) =>
      Object.keys((tableSchema(table, latestSchemaVersion(table)).definitions ?? {}) as JsonObject),
    );
    expect(new Set(definitions).size).toBe(definitions.length);
  });

  it('announce each later version of their schema', () => {
    for (const table of DEFAULT_TABLES)
      expect(table.schemaChangesAtCommit.length).toBeGreaterThanOrEqual(latestSchemaVersion(table) - 1);
  });
});

/** Values by column of rows as they are when the schema has this version. */
function rowsOf(definition: TableDefinition, version: number): (Record<string, Value> | undefined)[] {
  const commit = version === 1 ? 0 : definition.schemaChangesAtCommit[version - 2]!;
  const hour = 3_600_000_000;
  const namespaces = new Namespaces(
    [definition],
    { seed: 3, rows: 120, firstCommitAt: 0, refreshEvery: hour, isSilent: () => false },
    () => commit * definition.refreshesPerCommit * hour,
  );
  const view = namespaces.table(definition.namespace, definition.name)!.view();
  expect(view.schemaVersion).toBe(version);
  const names = Object.keys(definition.columns);
  return [...view.snapshot()]
    .flat()
    .map(({ values }) =>
      values === null ? undefined : Object.fromEntries(names.map((name, index) => [name, values[index]!])),
    );
}

function complaints(value: Value, schema: JsonObject, root: JsonObject, path = ''): string[] {
  if (typeof schema.$ref === 'string') {
    return complaints(
      value,
      (root.definitions as JsonObject)[schema.$ref.slice('#/definitions/'.length)] as JsonObject,
      root,
      path,
    );
  }
  if (Array.isArray(schema.oneOf)) {
    const fits = (schema.oneOf as JsonObject[]).some((member) => complaints(value, member, root, path).length === 0);
    return fits ? [] : [`${path}: none of oneOf`];
  }
  switch (schema.type) {
    case 'object': {
      if (!isObject(value)) return [`${path}: no object`];
      const properties = schema.properties as JsonObject;
      const found: string[] = [];
      for (const [name, inner] of Object.entries(value as Record<string, Value>)) {
        if (inner === null) {
          if ((schema.required as string[]).includes(name)) found.push(`${path}.${name}: missing`);
        } else if (!(name in properties)) found.push(`${path}.${name}: unknown`);
        else found.push(...complaints(inner, properties[name] as JsonObject, root, `${path}.${name}`));
      }
      return found;
    }
    case 'array':
      return Array.isArray(value)
        ? value.flatMap((item: Value) => complaints(item, schema.items as JsonObject, root, path))
        : [`${path}: no array`];
    case 'string': {
      if (typeof value !== 'string') return [`${path}: no string`];
      if (Array.isArray(schema.enum) && !schema.enum.includes(value)) return [`${path}: ${value} is not in the enum`];
      if (typeof schema.maxLength === 'number' && value.length > schema.maxLength) return [`${path}: too long`];
      const pattern = PATTERNS[String(schema.format)];
      return value.includes('\0') || (pattern && !pattern.test(value)) ? [`${path}: ${value}`] : [];
    }
    case 'integer':
      return typeof value === (schema.format === 'int64' ? 'bigint' : 'number') ? [] : [`${path}: no integer`];
    default:
      return typeof value === schema.type ? [] : [`${path}: no ${schema.type}`];
  }
}

const PATTERNS: Readonly<Record<string, RegExp>> = {
  'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/,
  date: /^\d{4}-\d\d-\d\d$/,
  uuid: /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  ipv4: /^(\d{1,3}\.){3}\d{1,3}$/,
  ipv6: /^2001:db8::[0-9a-f]{1,4}:[0-9a-f]{1,4}$/,
};
