import type { ObsDestination, ProcessingSchema } from './descriptor.ts';

/** A time as the directories of a partition format, in UTC. */
export function timeDirectory(format: string, atMs: number): string {
  const [date = '', time = ''] = new Date(atMs).toISOString().split('T');
  const [yyyy = '', MM = '', dd = ''] = date.split('-');
  const [HH = '', mm = ''] = time.split(':');
  const parts: Readonly<Record<string, string>> = { yyyy, MM, dd, HH, mm };
  return format.replaceAll(/yyyy|MM|dd|HH|mm/g, (part) => parts[part]!);
}

/** `file_prefix/partition_format/FILE`; what is empty is left out with its slash. */
export function objectKey(obs: ObsDestination, directory: string, fileName: string): string {
  return [...obs.file_prefix.split('/'), ...directory.split('/'), fileName].filter((part) => part !== '').join('/');
}

/** The time in a record's field, or undefined if it has none that can be used. */
export function timeOfRecord(data: Buffer, schema: ProcessingSchema): number | undefined {
  const value = fieldOf(data, schema.timestamp_name);
  if (schema.timestamp_type === 'Timestamp') {
    const ms = typeof value === 'number' || typeof value === 'string' ? Number(value) : Number.NaN;
    return Number.isInteger(ms) && ms > 0 && ms < 1e14 ? ms : undefined;
  }
  return typeof value === 'string' ? parseTime(value, schema.timestamp_format ?? '') : undefined;
}

function fieldOf(data: Buffer, name: string): unknown {
  try {
    const record: unknown = JSON.parse(data.toString());
    return typeof record === 'object' && record !== null ? (record as Record<string, unknown>)[name] : undefined;
  } catch {
    return undefined;
  }
}

/** @param format such as `dd/MM/yyyy HH:mm:ss`. The time counts as UTC */
function parseTime(value: string, format: string): number | undefined {
  const [date = '', time = ''] = value.split(' ');
  const [dateFormat = ''] = format.split(' ');
  const separator = format.includes('/') ? '/' : '-';
  const digits = date.split(separator);
  const parts: Record<string, string> = {};
  dateFormat.split(separator).forEach((part, at) => {
    parts[part] = digits[at] ?? '';
  });
  const text = `${parts.yyyy}-${parts.MM}-${parts.dd}T${time}.000Z`;
  const ms = Date.parse(text);
  // Date.parse takes the 31st of February for the 3rd of March.
  return Number.isNaN(ms) || new Date(ms).toISOString() !== text ? undefined : ms;
}
