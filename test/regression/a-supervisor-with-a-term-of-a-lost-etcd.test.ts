import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { unshownLog } from "../../dev/unshown-log.ts";
import { until } from "../../dev/until.ts";
import { StateFile } from "../../scripts/supervisor/saved-state.ts";
import { Supervisor } from "../../scripts/supervisor/supervisor.ts";
import { SupervisorServer } from "../../scripts/supervisor/supervisor-server.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { Coordinator } from "../../src/scaling/coordinator/coordinator.ts";
import { EtcdScalingRecords } from "../../src/scaling/coordinator/etcd/etcd-scaling-records.ts";
import { ScalingKeys } from "../../src/scaling/coordinator/etcd/scaling-keys.ts";
import { defaultPolicy } from "../../src/scaling/coordinator/policy.ts";
import { ScalingInstruments } from "../../src/scaling/coordinator/scaling-instruments.ts";
import { EtcdLeaderElection } from "../../src/scaling/election/etcd/etcd-leader-election.ts";
import { LocalExecutor } from "../../src/scaling/executor/local/local-executor.ts";
import { MemoryServiceRegistry } from "../../src/scaling/registry/memory/memory-service-registry.ts";
import { ScriptedMachine } from "../scale/scripted-machine.ts";
import { NamespacedEtcdClient } from "../support/namespaced-etcd.ts";

// The supervisor of scale-local outlives an etcd that loses what it had. The terms of the new history are lower than the last one that the
// supervisor knows, and it refused the leader for ever.

/** Above all revisions of the etcd of this test. */
const lostTerm = 10 ** 12;
const topic = "telemetry";
const log = unshownLog();
let etcd: ProvidedEtcd;
let client: NamespacedEtcdClient;
let dir: string;

beforeAll(async () => {
  etcd = await provideEtcd();
  client = new NamespacedEtcdClient(etcd, `supervisor-${crypto.randomUUID()}`);
  dir = await mkdtemp(join(tmpdir(), "telemetry-supervisor-"));
}, 300_000);
afterAll(async () => {
  await client.removeAll();
  client.close();
  await etcd.stop();
  await rm(dir, { recursive: true, force: true });
});

test("a coordinator that leads in the new history has its decisions carried out", async () => {
  const stateFile = new StateFile(join(dir, "supervisor.json"));
  const supervisor = new Supervisor({ stateFile, machine: () => new ScriptedMachine(), log });
  supervisor.scaleRole("gateway", { count: 1, term: lostTerm });
  const socket = join(dir, "supervisor.sock");
  const server = new SupervisorServer({ supervisor, socket, onStopped: () => undefined });
  const { leader: leaderKey } = new ScalingKeys(topic);
  const instanceId = "one";
  const coordinator = new Coordinator({
    ...{ clock, log, instanceId, instruments: new ScalingInstruments(new Registry()) },
    election: new EtcdLeaderElection({ client, leaderKey, instanceId, leaseSeconds: 5, clock }),
    records: new EtcdScalingRecords({ client, topic }),
    executor: new LocalExecutor({ socket }),
    services: new MemoryServiceRegistry(clock),
    queue: { stats: () => Promise.reject(new Error("there is no queue")) },
    policy: { ...defaultPolicy, gateway: { ...defaultPolicy.gateway, min: 2 } },
  });
  try {
    await coordinator.start();
    await until(() => supervisor.status.roles.gateway.count === 2);
    expect(supervisor.status.term).toBeLessThan(lostTerm);
  } finally {
    await coordinator.stop(AbortSignal.timeout(5000));
    await server.stop();
  }
});
