import type { Registry } from "prom-client";
import type { Config } from "../config/parse-config.ts";
import { payloadMaxBytes } from "../pipeline/queue/etcd/publish-groups.ts";
import type { PushIntake } from "../pipeline/source/push.ts";
import type { WriteBody } from "../pipeline/source/remote-write.ts";
import { KnownExporters } from "../pipeline/source/remote-write/series-batches.ts";
import { writeInstruments } from "../pipeline/source/remote-write/write-instruments.ts";
import { writeReader } from "../pipeline/source/remote-write/write-reader.ts";
import { QueuePushIntake, type QueuePushIntakeOptions } from "../pipeline/stream/push-intake.ts";

/** The largest request of remote write, unpacked. It is in memory as a whole; senders' usual ones are below 2 MiB, vmagent's below 8. */
const writeMaxBytes = 16 * 1024 * 1024;

/** What takes requests of remote write into the queue. */
export function openRemoteWrite(
  { remoteWriteClusterLabel }: Pick<Config, "remoteWriteClusterLabel">,
  parts: Pick<QueuePushIntakeOptions, "queue" | "clock" | "listener"> & { readonly registry: Registry },
): { readonly write: PushIntake<WriteBody>; readonly writeMaxBytes: number } {
  const exporters = new KnownExporters(remoteWriteClusterLabel);
  const readPush = writeReader(exporters, { maxBytes: writeMaxBytes, clock: parts.clock });
  const intake = new QueuePushIntake({ ...parts, readPush, messageMaxBytes: payloadMaxBytes });
  const count = writeInstruments(parts.registry);
  const write: PushIntake<WriteBody> = {
    take: async (push, signal) => {
      const result = await intake.take(push, signal);
      count(push.body.counts);
      return result;
    },
  };
  return { write, writeMaxBytes };
}
