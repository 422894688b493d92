/** What the connector needs of S3, in its own words: the seam between it and the SDK. */
export interface Bucket {
  /** One page of keys below `prefix`, at most 1,000; with a delimiter, what lies deeper is told by its common prefixes. */
  list(request: ListPage, signal: AbortSignal): Promise<Page>;
  /** The bytes `[start, end)` of exactly this version. */
  read(object: ObjectVersion, start: number, end: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
  close(): void;
}

export interface ListPage {
  readonly prefix: string;
  readonly delimiter?: string;
  /** Where the page before ended. */
  readonly after?: PageToken;
}

/** S3's own words for where a listing goes on: a continuation token, or for versions a key and a version id. */
export interface PageToken {
  readonly token?: string;
  readonly key?: string;
  readonly versionId?: string;
}

export interface Page {
  readonly objects: readonly ListedObject[];
  readonly prefixes: readonly string[];
  readonly next?: PageToken;
}

export interface ListedObject {
  readonly key: string;
  /** With its quotes. */
  readonly etag: string;
  readonly sizeBytes: number;
  /** Only of a listing of versions. */
  readonly versionId?: string;
  readonly lastModified?: Date;
}

export interface ObjectVersion {
  readonly key: string;
  readonly etag: string;
  readonly versionId?: string;
}
