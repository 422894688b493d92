import type { Reply } from '../replies.ts';
import type { RouteName } from '../routes.ts';
import type { Answer, CallContext } from '../service.ts';
import { appConsumptions, apps, createApp, deleteApp, getApp } from './apps.ts';
import { createCheckpoint, deleteCheckpoint, getCheckpoint } from './checkpoints.ts';
import { downloadData, getDataCursor } from './download.ts';
import { createDumpTask, deleteDumpTask, dumpTaskAction, dumpTasks, getDumpTask } from './dump-tasks.ts';
import { partitionMetrics, streamMetrics } from './metrics.ts';
import { updateStreamPartition } from './scaling.ts';
import { createStream, deleteStream, getStream, streams } from './streams.ts';
import { createTag, deleteTag, projectTags, resourceAction, tagAction, tags } from './tags.ts';
import { uploadData } from './upload.ts';

/** The calls that need a project and credentials. */
export type ProjectRoute = Exclude<RouteName, 'versions' | 'version' | 'createToken'>;

const ANSWERS: Readonly<Record<ProjectRoute, Answer>> = {
  ...{ createStream, streams, getStream, updateStreamPartition, deleteStream },
  ...{ createApp, apps, getApp, appConsumptions, deleteApp },
  ...{ createCheckpoint, getCheckpoint, deleteCheckpoint },
  ...{ uploadData, getDataCursor, downloadData },
  ...{ createDumpTask, dumpTasks, getDumpTask, deleteDumpTask, dumpTaskAction },
  ...{ streamMetrics, partitionMetrics },
  ...{ createTag, tags, deleteTag, tagAction, projectTags, resourceAction },
};

/** @throws {RefusedError} */
export const answer = (route: ProjectRoute, context: CallContext): Reply => ANSWERS[route](context);
