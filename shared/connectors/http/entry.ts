/** What an index names, before its server is asked for the version. */
export interface Entry {
  readonly name: string;
  readonly url: URL;
  readonly isFolder?: boolean;
  /** As the index tells it: then the server need not be asked. */
  readonly fingerprint?: string;
  readonly size?: number;
  readonly lastModified?: string;
}
