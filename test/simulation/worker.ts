import './stand-ins.ts';
import { workerData } from 'node:worker_threads';

const { work } = await import('./batch.ts');
await work(workerData);
