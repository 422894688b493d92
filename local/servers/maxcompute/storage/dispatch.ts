import type { Engine } from '../engine.ts';
import { badRequest } from '../errors.ts';
import type { Reply } from '../replies.ts';
import { STORAGE_ACTIONS, type StorageAction } from '../routes.ts';
import type { Instances } from '../sql/instances.ts';
import type { TableName } from '../tables/catalog.ts';
import { BlobActions } from './blob-actions.ts';
import { InstanceActions } from './instance-actions.ts';
import { ReadActions } from './read-actions.ts';
import type { StorageRequest } from './request.ts';
import { WriteActions } from './write-actions.ts';

export const isStorageAction = (action: string): action is StorageAction =>
  (STORAGE_ACTIONS as readonly string[]).includes(action);

/** The Storage API: one path, an action and a target in the query. */
export class Storage {
  readonly reads: ReadActions;
  readonly writes: WriteActions;
  readonly #blobs: BlobActions;
  readonly #instances: InstanceActions;

  constructor(engine: Engine, instances: Instances) {
    this.reads = new ReadActions(engine);
    this.#instances = new InstanceActions(engine, instances);
    this.writes = new WriteActions(engine);
    this.#blobs = new BlobActions(engine, this.writes);
  }

  async answer(request: StorageRequest): Promise<Reply> {
    const { action, target } = request;
    if (!isStorageAction(action)) throw badRequest(`Action ${action} is none`);
    if (action === 'BlobRead') return this.#blobs.read(request);
    if (action.startsWith('Instance')) return this.#instance(action, request);
    if (target.kind !== 'table') throw badRequest(`${action} needs a table as its Target`);
    return this.#table(action, request, target.table);
  }

  #instance(action: StorageAction, request: StorageRequest): Promise<Reply> | Reply {
    const { target } = request;
    if (target.kind !== 'instance') throw badRequest(`${action} needs an instance as its Target`);
    if (action === 'InstanceCreateReadSession') return this.#instances.createSession(request, target.instanceId);
    if (action === 'InstanceGetReadSession') return this.#instances.getSession(request);
    return this.#instances.read(request);
  }

  #table(action: StorageAction, request: StorageRequest, table: TableName): Promise<Reply> | Reply {
    switch (action) {
      case 'TableCreateReadSession':
        return this.reads.createSession(request, table);
      case 'TableGetReadSession':
        return this.reads.getSession(request, table);
      case 'TableRead':
        return this.reads.read(request, table);
      case 'TablePreview':
        return this.reads.preview(request, table);
      case 'TableCreateWriteSession':
        return this.writes.createSession(request, table);
      case 'TableGetWriteSession':
        return this.writes.getSession(request, table);
      case 'TableGetWriteSchema':
        return this.writes.writeSchema(request, table);
      case 'TableCreateWriteStream':
        return this.writes.createStream(request, table);
      case 'TableGetWriteStream':
        return this.writes.getStream(request, table);
      case 'TableWrite':
        return this.writes.write(request, table);
      case 'TableCloseWriteStream':
        return this.writes.closeStream(request, table);
      case 'TableCommitWriteSession':
        return this.writes.commit(request, table);
      case 'TableAbortWriteSession':
        return this.writes.abort(request, table);
      case 'TableWriteBlob':
        return this.#blobs.write(request, table);
      default:
        throw badRequest(`Action ${action} has another Target`);
    }
  }
}
