import { tmpdir } from "node:os";
import { defaultBatchSize } from "../config/settings/input-settings.ts";
import type { Config } from "../config/parse-config.ts";
import { once } from "../kit/once.ts";
import { payloadMaxBytes } from "../pipeline/queue/etcd/publish-groups.ts";
import type { PushIntake } from "../pipeline/source/push.ts";
import { pushReader } from "../pipeline/source/push/read-push.ts";
import { makeSpoolFolder, removeLeftSpools } from "../pipeline/source/push/spool-folder.ts";
import { uploadMaxBytesOf } from "./open-uploads.ts";
import { QueuePushIntake, type QueuePushIntakeOptions } from "../pipeline/stream/push-intake.ts";

/** A table may have batches of so many rows, to end with an instant. */
const batchMaxRows = 20_000;

/** PUSH_MAX_MIB in bytes. */
const pushMaxBytesOf = ({ pushMaxMebibytes }: Pick<Config, "pushMaxMebibytes">): number =>
  pushMaxMebibytes * 1024 * 1024;

/** The server reads bodies up to this size, so that most that are too large get an answer that says so. */
export const bodyMaxBytesOf = (config: Pick<Config, "pushMaxMebibytes" | "uploadMaxMebibytes">): number =>
  Math.max(2 * pushMaxBytesOf(config), 2 * uploadMaxBytesOf(config), 128 * 1024 * 1024);

/** What takes pushed telemetry into the queue, and how much at a time. */
export function openPush(
  config: Pick<Config, "pushMaxMebibytes" | "batchSize">,
  parts: Pick<QueuePushIntakeOptions, "queue" | "clock" | "listener" | "tracing">,
): { readonly push: PushIntake; readonly pushMaxBytes: number } {
  const { batchSize: batchRows = defaultBatchSize } = config;
  const [pushMaxBytes, { clock }] = [pushMaxBytesOf(config), parts];
  const reading = { maxBytes: pushMaxBytes, clock, batchRows, batchMaxRows };
  const clean = once(() => removeLeftSpools(tmpdir()).catch(() => undefined));
  const openFolder = (): Promise<string> => clean().then(() => makeSpoolFolder(tmpdir()));
  const readPush = pushReader({ ...reading, openFolder });
  return {
    pushMaxBytes,
    push: new QueuePushIntake({ ...parts, readPush, messageMaxBytes: payloadMaxBytes, slowMaxBytes: Infinity }),
  };
}
