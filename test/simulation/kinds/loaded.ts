// What the core loads when it is needed first is loaded before any history begins: from then on no disk has a say in it.
import '../../../shared/sinks/dis/session.ts';
import '../../../shared/sinks/maxcompute/session.ts';
import { loadArrow } from '../../../shared/clients/maxcompute/arrow/library.ts';

await loadArrow();
