import { startEtcd } from "../dev/servers/etcd.ts";
import { EtcdClient } from "../src/etcd/etcd-client.ts";
import { encodeBatch } from "../src/pipeline/queue/batch-codec.ts";
import { simulatedBatches } from "./queue/batches.ts";
import { carry, type CarryResult, claimToAckMs, rawPutRate, redeliveryMs } from "./queue/etcd-rates.ts";
import { natsRate } from "./queue/nats.ts";
import { grouped, print } from "./support/output.ts";
import { median } from "./support/statistics.ts";

// Measures the queue on etcd. The messages/s from publish to acknowledgement are compared with raw puts of one such payload
// into the same etcd, and with NATS JetStream. Also measures the samples/s with encoding and decoding, the time from claim
// to acknowledgement of one message, the time until another consumer has acknowledged a killed consumer's message, and the
// largest size of etcd's database while ten million samples pass through the queue.

const batchSamples = 5000;
const rounds = 3;
const leaseSeconds = 5;

/** Publishes and acknowledges messages on a new etcd, to measure the size of its database: the raw puts have enlarged the
 *  database of the first etcd. */
async function carryLong(load: { readonly batches: typeof batches; readonly messages: number }): Promise<CarryResult> {
  const fresh = await startEtcd({ members: 1 });
  const freshClient = new EtcdClient({ endpoints: fresh.endpoints });
  try {
    return await carry({ ...load, client: freshClient, endpoints: fresh.endpoints, topic: "long", codec: false });
  } finally {
    freshClient.close();
    await fresh.stop();
  }
}

const batches = await simulatedBatches(8, batchSamples);
const samples = batches.reduce((sum, { tally }) => sum + tally.samples, 0) / batches.length;
const { payload } = encodeBatch(batches[0] as (typeof batches)[number]);
const etcd = await startEtcd({ members: 1 });
const client = new EtcdClient({ endpoints: etcd.endpoints });
try {
  print(`payload: ${grouped(samples)} samples in ${grouped(payload.length)} bytes`);
  const ratios: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const raw = await rawPutRate(client, payload, 4);
    const run = { client, endpoints: etcd.endpoints, batches, messages: 6000 };
    const carried = await carry({ ...run, topic: `carry-${round}`, codec: false });
    const whole = await carry({ ...run, topic: `whole-${round}`, codec: true });
    const nats = await natsRate(payload, 2000);
    ratios.push(carried.messagesPerSecond / raw);
    print(
      `round ${round}: raw puts ${grouped(raw)}/s = ${grouped(raw * samples)} samples/s; queue ${grouped(carried.messagesPerSecond)} messages/s = ${grouped(carried.samplesPerSecond)} samples/s (${(carried.messagesPerSecond / raw).toFixed(2)} of raw); with encoding and decoding ${grouped(whole.samplesPerSecond)} samples/s; NATS JetStream ${grouped(nats)} messages/s`,
    );
  }
  print(`queue compared with raw puts, median ratio: ${median(ratios).toFixed(2)}`);
  print(`claim to acknowledgement, one message at a time: ${(await claimToAckMs(client, payload, 200)).toFixed(1)} ms`);
  const redeliveries: number[] = [];
  for (let index = 0; index < 5; index += 1) {
    redeliveries.push(await redeliveryMs(client, etcd.endpoints, { index, leaseSeconds }));
  }
  print(
    `redelivery after kill -9, median of 5: ${(median(redeliveries) / 1000).toFixed(1)} s with a lease of ${leaseSeconds} s`,
  );
  await etcd.stop();
  const messages = Math.ceil(10_000_000 / samples);
  const long = await carryLong({ batches, messages });
  print(
    `${grouped(messages * samples)} samples: ${grouped(long.samplesPerSecond)} samples/s, etcd's database at most ${grouped(long.databaseMaxBytes / 1024 ** 2)} MiB`,
  );
} finally {
  client.close();
  await etcd.stop();
}
process.exit(0);
