import type { Backend } from '../shared/backends/backend.ts';
import { code } from '../shared/connectors/code/code.ts';
import type { Metadata } from '../shared/connectors/connector.ts';
import { bytes } from '../shared/core/units.ts';
import type { Objects, ObjectWriter } from '../shared/landing/objects.ts';
import { definePipeline, type Pipeline } from '../shared/pipelines/define.ts';

export interface SyntheticOptions {
  /** Folders below the root; 0 lists the leaves in the root itself. */
  readonly prefixes: number;
  /** Leaves of each folder. */
  readonly leaves: number;
  /** The pipeline's name. Default `bench`. */
  readonly name?: string;
  /** So many leaves have another fingerprint than in the preparation. */
  readonly changed?: { readonly leaves: number; readonly version: string };
}

const SIZE_BYTES = 1000;

/** A source that is all names: it costs next to nothing to list, so what is measured is the platform. */
export function syntheticPipeline({ prefixes, leaves, name: pipeline = 'bench', changed }: SyntheticOptions): Pipeline {
  const every = changed ? Math.floor(leaves / changed.leaves) : 0;

  function* folders(): Generator<Metadata> {
    for (let at = 0; at < prefixes; at++) yield { name: `folder-${numbered(at)}`, fingerprint: '', isPrefix: true };
  }
  function* files(): Generator<Metadata> {
    for (let at = 0; at < leaves; at++) {
      const version = changed && at % every === 0 && at < every * changed.leaves ? changed.version : 'first';
      yield {
        name: `part-${numbered(at)}.csv`,
        fingerprint: `${version}-${at * SIZE_BYTES}`,
        isPrefix: false,
        size: SIZE_BYTES,
      };
    }
  }
  const source = code({
    context: () => undefined,
    listObjects: (_context, metadata) => (metadata === null && prefixes > 0 ? folders() : files()),
    readBytes: (_context, { name, fingerprint }) => `${name} ${fingerprint}\n`,
    version: '1',
  });
  return definePipeline({ name: pipeline, source });
}

const numbered = (at: number) => String(at).padStart(6, '0');

/** The same backend, except that landed bytes are counted and dropped: for preparing states of a million partitions. */
export function withoutData(backend: Backend): Backend {
  const { objects } = backend;
  const isData = (key: string) => key.includes('/data/');
  const thin: Objects = {
    ...objects,
    create: (key, options) => (isData(key) ? new DroppingWriter() : objects.create(key, options)),
  };
  return { ...backend, objects: thin };
}

class DroppingWriter implements ObjectWriter {
  #bytes = 0;

  async write(chunk: Uint8Array): Promise<void> {
    this.#bytes += chunk.byteLength;
  }

  async close() {
    return { bytes: bytes(this.#bytes), etag: `dropped-${this.#bytes}` };
  }

  async abort(): Promise<void> {}
}
