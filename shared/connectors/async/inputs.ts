import { canonicalJson, type JsonObject, type JsonValue } from '../../core/json.ts';
import type { CreateRequest } from './async-connector.ts';
import { BadTaskSpecificationError } from './errors.ts';
import type { InputType, TaskTemplate } from './task-template.ts';
import { convertValue, parseTaskType, WrongValue } from './task-types.ts';

/**
 * The inputs as the template declares them: converted to their types, defaults filled in. A template without an interface
 * takes any.
 *
 * @throws {BadTaskSpecificationError} naming every input that is missing, unknown or not of its type
 */
export function checkInputs(template: TaskTemplate, given: Readonly<Record<string, JsonValue>> = {}): JsonObject {
  const declared = template.interface?.inputs;
  if (!declared) return { ...given };
  const complaints: string[] = [];
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(declared, name)) complaints.push(`input ${name} is not declared`);
  }
  const inputs: JsonObject = {};
  for (const [name, input] of Object.entries(declared)) {
    const { type, fallback } = readInputType(input);
    const value = Object.hasOwn(given, name) ? given[name] : fallback;
    const parsed = parseTaskType(type);
    if (value === undefined) complaints.push(`input ${name} is missing`);
    else if (!parsed) complaints.push(`input ${name} is declared as ${JSON.stringify(type)}, which is no type`);
    else {
      try {
        inputs[name] = convertValue(parsed, value);
      } catch (error) {
        if (!(error instanceof WrongValue)) throw error;
        complaints.push(`input ${name}${error.at} ${error.message}`);
      }
    }
  }
  if (complaints.length > 0) throw new BadTaskSpecificationError(complaints.join('; '));
  return inputs;
}

export function readInputType(input: InputType): { readonly type: string; readonly fallback?: JsonValue } {
  if (typeof input === 'string') return { type: input };
  return { type: input.type, ...(input.default === undefined ? {} : { fallback: input.default }) };
}

/**
 * The request as its connector gets it: inputs checked, and in `container.args` the placeholders replaced, in a copy.
 *
 * `{{.input}}` is all inputs as JSON and `{{.inputs.name}}` one of them; `{{.outputPrefix}}` as given; and below it
 * `{{.rawOutputDataPrefix}}` (`raw`), `{{.checkpointOutputPrefix}}` (`checkpoints/<attempt>`) and
 * `{{.prevCheckpointPrefix}}`, that of the attempt before, which is empty in the first. Others are left as they are.
 */
export function prepareRequest(request: CreateRequest, attempt: number): CreateRequest {
  const { taskTemplate, outputPrefix } = request;
  const inputs = checkInputs(taskTemplate, request.inputs);
  const { container } = taskTemplate;
  if (!container?.args) return { ...request, inputs };
  const values = placeholders(outputPrefix, inputs, attempt);
  const args = container.args.map((arg) => substitute(arg, values));
  return { ...request, inputs, taskTemplate: { ...taskTemplate, container: { ...container, args } } };
}

function placeholders(outputPrefix: string, inputs: JsonObject, attempt: number): ReadonlyMap<string, string> {
  const below = (path: string) => `${outputPrefix.replace(/\/+$/, '')}/${path}`;
  return new Map([
    ['input', canonicalJson(inputs)],
    ['outputPrefix', outputPrefix],
    ['rawOutputDataPrefix', below('raw')],
    ['checkpointOutputPrefix', below(`checkpoints/${attempt}`)],
    ['prevCheckpointPrefix', attempt > 0 ? below(`checkpoints/${attempt - 1}`) : ''],
    ...Object.entries(inputs).map(([name, value]): [string, string] => [
      `inputs.${name}`,
      typeof value === 'string' ? value : canonicalJson(value),
    ]),
  ]);
}

/** In one pass: what was put in is not looked at again. */
const substitute = (text: string, values: ReadonlyMap<string, string>): string =>
  text.replace(/\{\{\s*\.([A-Za-z0-9_.-]+)\s*\}\}/g, (whole, name: string) => values.get(name) ?? whole);
