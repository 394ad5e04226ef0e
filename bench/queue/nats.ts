import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { freePorts } from "../../dev/servers/free-ports.ts";
import { trixieFolder } from "../../dev/servers/trixie.ts";

/** Publishes a payload `messages` times to a file stream of NATS JetStream, with 16 publishes in flight. The same process
 *  receives and acknowledges each message. The stream syncs every write, as etcd does.
 *  @returns messages per second, from the first publish to the last acknowledgement */
export async function natsRate(payload: Uint8Array, messages: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "telemetry-nats-"));
  const [port] = (await freePorts(1)) as [number];
  const config = join(folder, "nats.conf");
  await writeFile(
    config,
    `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${folder}", sync_interval: always }\nmax_payload: 2MB\n`,
  );
  const server = Bun.spawn([join(await trixieFolder(), "usr/sbin/nats-server"), "-c", config], {
    stdout: "ignore",
    stderr: "ignore",
  });
  try {
    const connection = await connect({
      servers: `127.0.0.1:${port}`,
      waitOnFirstConnect: true,
      maxReconnectAttempts: 50,
    });
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: "bench", subjects: ["bench"], retention: "workqueue", storage: "file" });
    await manager.consumers.add("bench", {
      durable_name: "bench",
      ack_policy: AckPolicy.Explicit,
      max_ack_pending: 1000,
    });
    const stream = jetstream(connection);
    const startMs = performance.now();
    const consuming = (async () => {
      let acknowledged = 0;
      const pulled = await (await stream.consumers.get("bench", "bench")).consume({ max_messages: 64 });
      for await (const message of pulled) {
        await message.ackAck();
        acknowledged += 1;
        if (acknowledged === messages) return;
      }
    })();
    let published = 0;
    const publish = async (): Promise<void> => {
      while (published < messages) {
        published += 1;
        await stream.publish("bench", payload);
      }
    };
    await Promise.all([...Array.from({ length: 16 }, publish), consuming]);
    const rate = messages / ((performance.now() - startMs) / 1000);
    await connection.close();
    return rate;
  } finally {
    server.kill();
    await server.exited;
    await rm(folder, { recursive: true, force: true });
  }
}
