declare module 'dynalite' {
  import type { Server } from 'node:http';

  /** DynamoDB's protocol over LevelDB; in memory if no path is given. */
  export default function dynalite(options?: { readonly createTableMs?: number; readonly path?: string }): Server;
}
