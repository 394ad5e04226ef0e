import type { Registry } from "prom-client";
import type { Config } from "../config/parse-config.ts";
import { payloadMaxBytes } from "../pipeline/queue/etcd/publish-groups.ts";
import type { OtlpBody } from "../pipeline/source/otlp.ts";
import { otlpReader } from "../pipeline/source/otlp/otlp-reader.ts";
import type { PushIntake } from "../pipeline/source/push.ts";
import type { WriteBody, WriteCounts } from "../pipeline/source/remote-write.ts";
import { KnownExporters } from "../pipeline/source/remote-write/series-batches.ts";
import { writeInstruments } from "../pipeline/source/remote-write/write-instruments.ts";
import { writeReader } from "../pipeline/source/remote-write/write-reader.ts";
import { QueuePushIntake, type QueuePushIntakeOptions } from "../pipeline/stream/push-intake.ts";

/** The largest request of remote write, unpacked. It is in memory as a whole; senders' usual ones are below 2 MiB, vmagent's below 8. */
const writeMaxBytes = 16 * 1024 * 1024;

/** Of all requests that come slowly. */
const slowMaxBytes = 64 * 1024 * 1024;

/** What takes requests of remote write and of OTLP into the queue. */
export function openRemoteWrite(
  { remoteWriteClusterLabel }: Pick<Config, "remoteWriteClusterLabel">,
  parts: Pick<QueuePushIntakeOptions, "queue" | "clock" | "listener" | "tracing"> & { readonly registry: Registry },
): {
  readonly write: PushIntake<WriteBody>;
  readonly otlp: PushIntake<OtlpBody>;
  readonly writeMaxBytes: number;
} {
  const exporters = new KnownExporters(remoteWriteClusterLabel, parts.clock);
  const limits = { maxBytes: writeMaxBytes };
  const opened = { ...parts, messageMaxBytes: payloadMaxBytes, slowMaxBytes };
  const write = new QueuePushIntake({ ...opened, spanName: "remote write", readPush: writeReader(exporters, limits) });
  const otlp = new QueuePushIntake({ ...opened, spanName: "otlp", readPush: otlpReader(exporters, limits) });
  return {
    write: counted(write, writeInstruments(parts.registry, "remote_write")),
    otlp: counted(otlp, writeInstruments(parts.registry, "otlp")),
    writeMaxBytes,
  };
}

/** Counts the samples of requests that were taken. */
function counted<Body extends { readonly counts: WriteCounts }>(
  intake: PushIntake<Body>,
  count: (counts: WriteCounts) => void,
): PushIntake<Body> {
  return {
    take: async (push, signal) => {
      const result = await intake.take(push, signal);
      count(push.body.counts);
      return result;
    },
  };
}
