import { loadPipelines } from '../shared/pipelines/folder.ts';

/** The bundle's pipelines, from their folder. When the functions are built, a module that imports them by name takes this one's place. */
export const openPipelines = loadPipelines;
