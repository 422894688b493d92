import type { Environment } from './env.ts';

/** What to tell a person whose environment switches the verification of certificates off, for this whole process. */
export function tlsWarning({ NODE_TLS_REJECT_UNAUTHORIZED }: Environment): string | undefined {
  if (NODE_TLS_REJECT_UNAUTHORIZED !== '0') return undefined;
  return 'certificates are not verified, since NODE_TLS_REJECT_UNAUTHORIZED is 0: name a CA in NODE_EXTRA_CA_CERTS instead';
}
