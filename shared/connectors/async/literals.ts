import { isObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import { BadTaskSpecificationError } from './errors.ts';
import { camelCase } from './fields.ts';

/**
 * Inputs as a task service may be sent them: plain values by name, or Flyte's literals (by name, or as a list with names), which
 * become plain values.
 *
 * @param declared an input that is called `literals` itself is a plain one
 * @throws {BadTaskSpecificationError} naming the input whose literal is none
 */
export function plainInputs(inputs: JsonObject, declared: object = {}): JsonObject {
  const { literals, ...others } = inputs;
  const isFlytes =
    typeof literals === 'object' && literals !== null && Object.keys(others).every((name) => name === 'context');
  if (!isFlytes || Object.hasOwn(declared, 'literals')) return inputs;
  const named = Array.isArray(literals) ? literals.map(namedLiteral) : Object.entries(literals);
  return Object.fromEntries(named.map(([name, literal]) => [name, plain(literal, `inputs.${name}`)]));
}

function namedLiteral(one: JsonValue, index: number): [name: string, literal: JsonValue] {
  const { name, value } = isObject(one) ? (one as JsonObject) : {};
  if (typeof name === 'string' && value !== undefined) return [name, value];
  throw noLiteral(`inputs.literals[${index}]`, 'no name or no value');
}

/** Outputs as Flyte's literals: by name as its older messages have them, or as a list with names. */
export function literalsOf(outputs: JsonObject, generation: 'connector' | 'agent'): JsonObject {
  const named = Object.entries(outputs).map(([name, value]) => ({ name, value: literalOf(value) }));
  if (generation === 'connector') return { literals: named };
  return { literals: Object.fromEntries(named.map(({ name, value }) => [name, value])) };
}

/** By what the value is, not by its declared type. */
function literalOf(value: JsonValue): JsonObject {
  if (value === null) return { scalar: { noneType: {} } };
  if (Array.isArray(value)) return { collection: { literals: value.map(literalOf) } };
  switch (typeof value) {
    case 'object':
      return { scalar: { generic: value } };
    case 'string':
      return { scalar: { primitive: { stringValue: value } } };
    case 'boolean':
      return { scalar: { primitive: { boolean: value } } };
    default:
      return { scalar: { primitive: Number.isInteger(value) ? { integer: String(value) } : { floatValue: value } } };
  }
}

function plain(literal: JsonValue, path: string): JsonValue {
  const [kind, value] = only(literal, path);
  switch (kind) {
    case 'scalar':
      return scalar(value, path);
    case 'collection':
      return listIn(value, path).map((item, index) => plain(item, `${path}[${index}]`));
    case 'map': {
      const inner = isObject(value) && isObject(value.literals) ? (value.literals as JsonObject) : {};
      return Object.fromEntries(Object.entries(inner).map(([name, one]) => [name, plain(one, `${path}.${name}`)]));
    }
    default:
      throw noLiteral(path, kind);
  }
}

function scalar(value: JsonValue, path: string): JsonValue {
  const [kind, inner] = only(value, path);
  switch (kind) {
    case 'primitive':
      return only(inner, path)[1];
    case 'generic':
    case 'blob':
    case 'structuredDataset':
    case 'schema':
      return inner;
    case 'union':
      return plain((inner as JsonObject | null)?.value ?? null, path);
    case 'noneType':
      return null;
    default:
      throw noLiteral(path, kind);
  }
}

/** Members that say something about a literal instead of being one. */
const ASIDE = new Set(['hash', 'metadata', 'offloadedMetadata', 'artifactId', 'artifact_id', 'offloaded_metadata']);

/** The one member that is set, as in a `oneof`. */
function only(value: JsonValue, path: string): [kind: string, value: JsonValue] {
  const members = isObject(value) ? Object.entries(value as JsonObject).filter(([name]) => !ASIDE.has(name)) : [];
  const [first] = members;
  if (first === undefined || members.length !== 1) throw noLiteral(path, `${members.length} members`);
  return [camelCase(first[0]), first[1]];
}

function listIn(value: JsonValue, path: string): JsonValue[] {
  if (!isObject(value)) throw noLiteral(path, 'no collection');
  const { literals = [] } = value as JsonObject;
  if (!Array.isArray(literals)) throw noLiteral(path, 'no list');
  return literals;
}

const noLiteral = (path: string, got: string) =>
  new BadTaskSpecificationError(`${path} must be a literal: a scalar, collection or map; got ${got}`);
