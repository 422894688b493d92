import type { Engine } from '../engine.ts';
import { notFound } from '../errors.ts';
import { json, type Reply, text, xml } from '../replies.ts';
import type { RestRoute } from '../routes.ts';
import type { Instances } from '../sql/instances.ts';
import type { UploadRequest, Uploads } from '../tunnel/uploads.ts';
import { created, describeInstance, listInstances, parseJob } from './jobs.ts';
import { describePartition, describeTable, element, listPartitions, listTables } from './metadata.ts';

export interface RestRequest extends UploadRequest {
  readonly route: RestRoute;
  /** Such as `http://127.0.0.1:41234`. */
  readonly origin: string;
  /** Path of the request without its query. */
  readonly pathname: string;
  text(): Promise<string>;
}

/** What clients ask beside the Storage API, and the older upload. */
export class Rest {
  readonly #engine: Engine;
  readonly #instances: Instances;
  readonly #uploads: Uploads;

  constructor(engine: Engine, instances: Instances, uploads: Uploads) {
    this.#engine = engine;
    this.#instances = instances;
    this.#uploads = uploads;
  }

  async answer(request: RestRequest): Promise<Reply> {
    const { route, query, origin } = request;
    const { catalog, settings, bareDecimalBits } = this.#engine;
    if (route.project !== '' && route.project.toLowerCase() !== this.#engine.project.toLowerCase()) {
      throw notFound('NoSuchProject', `ODPS-0420111: project not found - ${route.project}`);
    }
    switch (route.action) {
      case 'LogviewHost':
        throw notFound('NoSuchObject', 'there is no logview here');
      case 'Tenants':
        if (!settings.schemas) throw notFound('NoSuchObject', 'there are no tenants here');
        return json({
          Tenant: {
            Name: 'local',
            TenantId: 'local',
            TenantState: 'NORMAL',
            TenantMeta: {},
            Parameters: { 'odps.namespace.schema': 'true' },
          },
        });
      case 'Logs':
        return text(200, '');
      case 'Router':
        return text(200, new URL(origin).host);
      case 'Project':
        return xml(
          `<Project>${element('Name', route.project)}${element('Type', 'managed')}${element('Owner', 'owner')}<State>AVAILABLE</State></Project>`,
        );
      case 'Schemas':
        return this.#schemas(route);
      case 'ListTables':
        return listTables(catalog.list(route.project, route.schema), query);
      case 'GetTable':
        return describeTable(catalog.get(route.table!), query.has('extended'));
      case 'ListPartitions':
        return listPartitions(catalog.get(route.table!), query);
      case 'GetPartition':
        return describePartition(catalog.get(route.table!), query.get('partition')!);
      case 'CreateInstance': {
        const job = { ...parseJob(await request.text()), project: route.project, schema: route.schema };
        const { id } = await this.#instances.run(job);
        return created(`${origin}${request.pathname}/${id}`);
      }
      case 'GetInstance':
        return describeInstance(this.#instances.get(route.instanceId!), query, bareDecimalBits);
      case 'ListInstances':
        return listInstances(this.#instances.all(route.project));
      case 'CreateUpload':
        return this.#uploads.create(request, route.table!);
      case 'GetUpload':
        return this.#uploads.get(request);
      case 'WriteUpload':
        return this.#uploads.write(request);
      case 'CommitUpload':
        return this.#uploads.commit(request);
    }
  }

  #schemas({ project }: RestRoute): Reply {
    const items = this.#engine.catalog.schemas(project).map((name) => `<Schema>${element('Name', name)}</Schema>`);
    return xml(`<Schemas><Marker/><MaxItems>1000</MaxItems>${items.join('')}</Schemas>`);
  }
}
