import { isObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import { BadTaskSpecificationError } from './errors.ts';
import { camelCase } from './fields.ts';

/**
 * Inputs as a task service may be sent them: plain values by name, or Flyte's literals (`{"literals": {"a": {"scalar": …}}}`),
 * which become plain values.
 *
 * @param declared an input that is called `literals` itself is a plain one
 * @throws {BadTaskSpecificationError} naming the input whose literal is none
 */
export function plainInputs(inputs: JsonObject, declared: object = {}): JsonObject {
  const { literals } = inputs;
  if (!isObject(literals) || Object.keys(inputs).length !== 1 || Object.hasOwn(declared, 'literals')) return inputs;
  return Object.fromEntries(
    Object.entries(literals as JsonObject).map(([name, literal]) => [name, plain(literal, `inputs.${name}`)]),
  );
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
    case 'noneType':
      return null;
    default:
      throw noLiteral(path, kind);
  }
}

/** Members that say something about a literal instead of being one. */
const ASIDE = new Set(['hash', 'metadata', 'uri']);

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
