import { scaleStream } from './api/scaling.ts';
import { RefusedError } from './refusal.ts';
import { autoTarget, type Load } from './scaling.ts';
import type { Service } from './service.ts';
import type { Stream } from './stream.ts';

/** What is done every second: files whose records have aged out go, and streams that scale by themselves do. */
export function housekeep(service: Service, autoScale: boolean): void {
  const nowMs = service.clock.nowMs();
  for (const stream of service.state.streams.values()) {
    for (const partition of stream.partitions) partition.dropOld(nowMs);
    const target = autoScale ? autoTarget(stream, loadOf(stream, service, nowMs), nowMs) : undefined;
    if (target === undefined) continue;
    try {
      scaleStream(stream, target, nowMs, true, service);
    } catch (error) {
      // Over the quota, or too often in this hour: it stays as it is.
      if (!(error instanceof RefusedError)) throw error;
    }
  }
}

const MINUTE_SECONDS = 60;

function loadOf(stream: Stream, service: Service, nowMs: number): Load {
  const { putBytes, putThrottled, getBytes } = service.traffic.busiest(stream.id, nowMs);
  const rates = service.rates[stream.settings.type];
  const seconds = stream.count * MINUTE_SECONDS;
  return {
    upload: putBytes / (rates.writeBytes * seconds),
    download: getBytes / (rates.readBytes * seconds),
    wasThrottled: putThrottled > 0,
  };
}
