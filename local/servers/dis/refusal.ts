import { IngestError } from '../../../shared/core/errors.ts';

/** Text of each code that the service is known to answer with, whether it comes about here or only as a fault. */
const TEXTS = {
  'DIS.4100': 'Authorization error.',
  'DIS.4101': 'Authorization header cannot be empty.',
  'DIS.4102': 'Incorrectly parsed authorization header.',
  'DIS.4103': 'Empty X-Sdk-Date header.',
  'DIS.4104': 'Error parsing X-Sdk-Date header.',
  'DIS.4105': 'Invalid X-Sdk-Date header.',
  'DIS.4106': 'Empty AccessKey header.',
  'DIS.4107': 'Invalid AccessKey header.',
  'DIS.4108': 'Empty ServiceName header.',
  'DIS.4109': 'The Authorization header must contain the following field: {Credential,SignedHeaders,Signature;}',
  'DIS.4110': 'Empty Signature header.',
  'DIS.4111': 'Invalid Region header.',
  'DIS.4112': 'Invalid authorization request.',
  'DIS.4113': 'Empty Token header.',
  'DIS.4114': 'Invalid Token header.',
  'DIS.4116': 'Invalid RBAC.',
  'DIS.4117': 'Invalid Project Id.',
  'DIS.4200': 'Invalid request.',
  'DIS.4201': 'Invalid partition_id.',
  'DIS.4202': 'Empty request.',
  'DIS.4203': 'Invalid monitoring period.',
  'DIS.4204': 'The monitoring period cannot be longer than 7 days.',
  'DIS.4205': 'Stream is not running.',
  'DIS.4208': 'Mrs cluster is invalid.',
  'DIS.4209': 'Invalid metrics label.',
  'DIS.4215': 'Invalid cursor type.',
  'DIS.4216': 'Invalid sequence_number.',
  'DIS.4217': 'Invalid partition cursor.',
  'DIS.4224': 'Sequence_number out of range.',
  'DIS.4225': 'Expired partition cursor.',
  'DIS.4226':
    'A partition iterator error occurred or a record to which the SN corresponds has expired. Try to obtain the partition iterator again.',
  'DIS.4300': 'Request error.',
  'DIS.4301': 'Stream does not exist.',
  'DIS.4302': 'Partition does not exist.',
  'DIS.4303': 'Exceeded traffic control limit.',
  'DIS.4305': 'Too many stream requests.',
  'DIS.4306': 'Bucket does not exist.',
  'DIS.4307': 'The stream already exists.',
  'DIS.4308': 'Insufficient quota.',
  'DIS.4309': 'Too many request failures. Please try again later.',
  'DIS.4310': 'OBS access error.',
  'DIS.4319': 'Partition is expired.',
  'DIS.4329': 'app quota exceeded.',
  'DIS.4330': 'app already exist.',
  'DIS.4331': 'app is using.',
  'DIS.4332': 'app not found.',
  'DIS.4335': 'Invalid IAM agency.',
  'DIS.4336': 'Invalid HDFS path.',
  'DIS.4337': 'The DLI database does not exist.',
  'DIS.4338': 'The DLI table does not exist.',
  'DIS.4339': 'Consumer quota exceeded.',
  'DIS.4341': 'The CloudTable cluster does not exist.',
  'DIS.4342': 'The CloudTable table does not exist',
  'DIS.4343': 'The CloudTable table family does not exist.',
  'DIS.4345': 'Invalid CloudTable schema.',
  'DIS.4348': 'Invalid CloudTable openTSDB schema.',
  'DIS.4350': 'Invalid DWS cluster.',
  'DIS.4351': 'Invalid KMS userKey.',
  'DIS.4354': 'The transfer task does not exist.',
  'DIS.4355': 'The transfer task already exists.',
  'DIS.4357': 'Exceeded transfer task quota.',
  'DIS.4358': 'The stream supports specific transfer tasks. Check the data type of the stream.',
  'DIS.4360': 'Invalid data schema.',
  'DIS.4375': 'The app does not commit checkpoint',
  'DIS.4601': 'The number of resource tags has reached the maximum.',
  'DIS.4602': 'Invalid resource type.',
  'DIS.4603': 'The resource does not exist.',
  'DIS.4604': 'The key does not exist.',
  'DIS.4605': 'The action is not supported.',
  'DIS.4701': 'consumer group rebalance in progress',
  'DIS.4702': 'consumer member does not exist',
  'DIS.4703': 'consumer group generation mismatch',
  'DIS.5000': 'System error.',
} as const;

export type DisCode = keyof typeof TEXTS;

/** The text of any code: that of the service where it is known. */
export const textOf = (code: string): string => (code in TEXTS ? TEXTS[code as DisCode] : 'System error.');

/** A request that the service turns down; the handler makes the reply of it. */
export class RefusedError extends IngestError {
  override readonly name = 'RefusedError';
  readonly code: DisCode;
  readonly retryable = false;
  readonly status: number;

  constructor(code: DisCode, details: readonly string[], status: number) {
    super(`${textOf(code)}${details.length > 0 ? ' ' : ''}${details.map((detail) => `[${detail}]`).join('')}`);
    this.code = code;
    this.status = status;
  }
}

/** @param details as the service writes them, each in brackets behind the code's text */
export function refusal(code: DisCode, ...details: readonly string[]): RefusedError {
  return new RefusedError(code, details, statusOf(code));
}

/** 441 is no status of HTTP's; it is what the service answers to whom it does not know. */
export function statusOf(code: string): number {
  const number = Number(code.slice('DIS.'.length));
  if (number >= 4100 && number <= 4114) return 441;
  if (number === 4116) return 403;
  return number >= 5000 && number < 6000 ? 500 : 400;
}
