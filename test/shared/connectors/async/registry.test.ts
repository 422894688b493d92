import { describe, expect, it } from 'vitest';
import { ConnectorNotFoundError, DuplicateConnectorError } from '../../../../shared/connectors/async/errors.ts';
import { ConnectorRegistry } from '../../../../shared/connectors/async/registry.ts';
import { InvalidInputError } from '../../../../shared/core/errors.ts';
import { FakeConnector } from '../../../support/fake-connector.ts';

function named(name: string, type: string, version = 0): FakeConnector {
  return Object.assign(new FakeConnector(type, version), { name });
}

describe('ConnectorRegistry', () => {
  it('finds a connector by type and version, and version 0 where none is named', () => {
    const [zero, three] = [new FakeConnector('x', 0), new FakeConnector('x', 3)];
    const registry = new ConnectorRegistry().register(zero).register(three);

    expect(registry.get('x')).toBe(zero);
    expect(registry.get('x', 3)).toBe(three);
  });

  it('refuses a second connector for a type and version, naming both', () => {
    const registry = new ConnectorRegistry().register(new FakeConnector('x', 2));

    expect(() => registry.register(new FakeConnector('x', 2))).toThrow(DuplicateConnectorError);
    expect(() => registry.register(new FakeConnector('x', 2))).toThrow(/task type x version 2/);
  });

  it('replaces it with override, and lists it once, under the new name', () => {
    const replacement = named('New', 'x');
    const registry = new ConnectorRegistry().register(named('Old', 'x')).register(replacement, { override: true });

    expect(registry.get('x')).toBe(replacement);
    expect(registry.list()).toEqual([{ name: 'New', supportedTaskCategories: [{ name: 'x', version: 0 }] }]);
    expect(() => registry.describe('Old')).toThrow(ConnectorNotFoundError);
  });

  it('does not list a category twice that was registered with override', () => {
    const registry = new ConnectorRegistry()
      .register(new FakeConnector())
      .register(new FakeConnector(), { override: true });

    expect(registry.describe('Fake').supportedTaskCategories).toEqual([{ name: 'fake', version: 0 }]);
  });

  it.each([
    ['by type', () => new ConnectorRegistry().get('y', 1), /task type "y" version 1$/],
    [
      'by version: none is taken instead',
      () => new ConnectorRegistry().register(new FakeConnector('x', 2)).get('x', 3),
      /"x" version 3; there is one for version 2$/,
    ],
    ['by name', () => new ConnectorRegistry().describe('Nobody'), /the name "Nobody"/],
  ])('says what it did not find: %s', (_how, look, message) => {
    expect(look).toThrow(ConnectorNotFoundError);
    expect(look).toThrow(message);
  });

  it('lists by name, each with its categories by type and version', () => {
    const registry = new ConnectorRegistry();
    for (const one of [named('B', 'z'), named('A', 'y', 10), named('A', 'y', 9), named('A', 'x')])
      registry.register(one);

    expect(registry.list()).toEqual([
      {
        name: 'A',
        supportedTaskCategories: [
          { name: 'x', version: 0 },
          { name: 'y', version: 9 },
          { name: 'y', version: 10 },
        ],
      },
      { name: 'B', supportedTaskCategories: [{ name: 'z', version: 0 }] },
    ]);
  });

  it.each(['a', 'A1_b.c-d', '9', `a${'b'.repeat(127)}`])('takes %s as a task type', (type) => {
    expect(new ConnectorRegistry().register(new FakeConnector(type)).get(type).taskTypeName).toBe(type);
  });

  it.each(['', '.a', '-a', '_a', 'a b', 'a/b', 'ä', `a${'b'.repeat(128)}`])('refuses "%s" as a task type', (type) => {
    expect(() => new ConnectorRegistry().register(new FakeConnector(type))).toThrow(InvalidInputError);
  });

  it.each([-1, 0.5, 2 ** 31, Number.NaN])('refuses %s as a version', (version) => {
    expect(() => new ConnectorRegistry().register(new FakeConnector('x', version))).toThrow(InvalidInputError);
  });

  it('takes 2³¹ − 1 as a version', () => {
    expect(new ConnectorRegistry().register(new FakeConnector('x', 2 ** 31 - 1)).get('x', 2 ** 31 - 1)).toBeDefined();
  });

  it('refuses a connector without a name', () => {
    expect(() => new ConnectorRegistry().register(named(' ', 'x'))).toThrow(/name must be/);
  });
});
