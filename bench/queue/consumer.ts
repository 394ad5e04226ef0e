import pino from "pino";
import { systemClock } from "../../src/kit/clock.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { decodeBatch } from "../../src/pipeline/queue/batch-codec.ts";
import { EtcdQueue } from "../../src/pipeline/queue/etcd/etcd-queue.ts";
import { print } from "../support/output.ts";

// A collector without a store: it claims messages, decodes and validates them if `decodes` is true, and acknowledges them.
// bench/queue.ts starts it as a separate process. It prints the number of acknowledged messages about every hundred messages.
// If `holds` is true, each worker claims messages, prints a line, and holds the messages until the process is killed.

const [endpoints = "", topic = "", workers = "16", leaseSeconds = "30", decodes = "true", holds = "false"] =
  process.argv.slice(2);
const queue = new EtcdQueue({
  client: new EtcdClient({ endpoints: endpoints.split(",") }),
  topic,
  clock: systemClock,
  capacityMessages: 1_000_000,
  leaseSeconds: Number(leaseSeconds),
  maxAttempts: 100,
  log: pino({ level: "error" }),
});
const { signal } = new AbortController();
const consumerId = `bench:${process.pid}`;
let acknowledged = 0;

async function work(): Promise<never> {
  for (;;) {
    const deliveries = await queue.claim({ consumerId, maxMessages: 4, signal });
    if (holds === "true") {
      print("claimed");
      await new Promise(() => undefined);
    }
    for (const { envelope, payload } of deliveries) {
      if (decodes === "true") decodeBatch({ ...envelope, payload });
    }
    await queue.acknowledge(deliveries);
    const before = acknowledged;
    acknowledged += deliveries.length;
    if (Math.floor(before / 100) !== Math.floor(acknowledged / 100)) print(String(acknowledged));
  }
}

await Promise.all(Array.from({ length: Number(workers) }, work));
