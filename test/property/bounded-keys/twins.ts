import { AsyncLocalStorage } from "node:async_hooks";
import type { SqlClient } from "../../../src/db/client.ts";
import { detectEngine } from "../../../src/db/engine.ts";
import { openPGliteClient } from "../../support/open-store.ts";
import { BatchBuilder } from "../../../src/domain/batch-builder.ts";
import { noWorkload } from "../../../src/domain/gpu.ts";
import { metricIndexOf } from "../../../src/domain/metrics.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import { MemoryHotTier } from "../../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { openSqlDrivers } from "../../../src/pipeline/store/sql/open-sql-drivers.ts";
import type { IngestMessage } from "../../../src/pipeline/store/telemetry-store.ts";
import { FleetProjection } from "../../../src/routes/fleet/fleet-projection.ts";
import { messageOf } from "../../../dev/make-batch.ts";
import { gatewayOver, type TestGateway } from "../../routes/gateway.ts";
import { securedParts } from "../../routes/access/secured-gateway.ts";
import { type SettledState, settleTo } from "../../support/settled.ts";
import { SqlFaultStore } from "../../../src/faults/sql/sql-fault-store.ts";
import { faultChange, FaultLeader } from "../../support/fault-leader.ts";
import { type Moment, own, type Part, sides, type World, worldEndMs, worldStartMs } from "./worlds.ts";
import { unshownLog } from "../../../dev/unshown-log.ts";

/** A gateway over one of a world's two fleets, and the key with the world's selector. */
export interface Twin {
  readonly gateway: TestGateway;
  readonly headers: Readonly<Record<string, string>>;
  /** A key without a selector. */
  readonly unboundedHeaders: Readonly<Record<string, string>>;
  /** Tells which statements were sent to read from the store for `ask`, and not for something else that the gateway does. */
  readonly watching: <Answer>(ask: () => Promise<Answer>) => Promise<readonly [Answer, readonly string[]]>;
  /** Stores the moments that are left, and publishes them. */
  readonly play: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** A database for one of the two fleets; it has the fleet of one world at a time. */
export class TwinDatabase {
  private readonly asking = new AsyncLocalStorage<string[]>();

  private constructor(
    private readonly client: SqlClient,
    private readonly side: 0 | 1,
  ) {}

  static async open(side: 0 | 1): Promise<TwinDatabase> {
    return new TwinDatabase(await openPGliteClient("memory://"), side);
  }

  close(): Promise<void> {
    return this.client.close();
  }

  /** Replaces what the database has by a world's fleet, and opens a gateway over it.
   *  @param until the number of moments before the gateway opens; those that follow are played
   *  @param settled how much of the history is settled then */
  async twin(world: World, until = world.moments.length, settled: SettledState = "nothing"): Promise<Twin> {
    const opened = await this.emptied();
    for (const batch of this.batchesOf(world.moments.slice(0, until))) await opened.store.ingest(batch);
    await this.tellInventory(opened, world);
    const leader = await this.tellFaults(world);
    if (settled !== "nothing") await settleTo(this.client, settled);
    const secured = securedParts(opened);
    const headersOf = async (name: string, selector: World["selector"] | undefined) => {
      const key = { name, scopes: ["read", "operate"] as const, expiresAtMs: undefined, selector };
      return { authorization: `Bearer ${(await secured.parts.administration.keys.create(key)).text}` };
    };
    const clock = { ...systemClock, nowMs: () => worldEndMs };
    const hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
    const log = unshownLog();
    const fleet = new FleetProjection({ hotTier, store: opened.queries.fleet, clock, log });
    await fleet.start();
    leader.work();
    return {
      gateway: gatewayOver(opened, { ...secured.parts, clock, fleet }),
      headers: await headersOf("team", world.selector),
      unboundedHeaders: await headersOf("all", undefined),
      watching: (ask) => {
        const sent: string[] = [];
        return this.asking.run(sent, async () => [await ask(), [...sent]] as const);
      },
      play: async () => {
        for (const message of this.batchesOf(world.moments.slice(until))) {
          const { contested } = await opened.store.ingest(message);
          await hotTier.write(message.batch, contested);
        }
      },
      close: async () => {
        await leader.stop();
        await fleet.stop(AbortSignal.abort());
      },
    };
  }

  /** A source for each GPU: one that reads several would make it a fact of an own GPU that it was absent when others were read. */
  private batchesOf(moments: readonly Moment[]): IngestMessage[] {
    return moments.flatMap(({ atMs, both, only }) => {
      const parts = [...both, ...only[this.side]];
      return [...new Set(parts.map((part) => part.uuid))].map((uuid) => {
        const ofGpu = parts.filter((part) => part.uuid === uuid);
        const reading = { timeMs: atMs, intervalMs: 60_000, outcome: "read" as const, count: 1 };
        const range = { source: `scrape:${uuid}`, from: atMs, to: atMs };
        return messageOf(`${uuid} ${atMs}`, { ...batchOf(ofGpu, atMs), reading }, range);
      });
    });
  }

  /** New drivers, which have nothing of the last fleet in memory. */
  private async emptied() {
    const tables = await this.client.query<{ name: string }>(
      "select quote_ident(tablename) as name from pg_tables where schemaname = 'public' and tablename <> 'store_identity'",
    );
    await this.client.query(`truncate ${tables.map(({ name }) => name).join(", ")} restart identity`);
    const engine = await detectEngine(this.client);
    const reader: SqlClient = {
      query: (text, params) => {
        this.asking.getStore()?.push(text);
        return this.client.query(text, params);
      },
      transaction: (work) => this.client.transaction(work),
      inOrder: (work) => this.client.inOrder(work),
      snapshot: (work) =>
        this.client.snapshot((executor) =>
          work({
            query: (text, params) => {
              this.asking.getStore()?.push(text);
              return executor.query(text, params);
            },
          }),
        ),
      until: () => reader,
      close: () => Promise.resolve(),
    };
    const drivers = openSqlDrivers({
      ...{ writer: this.client, reader, heavyReader: reader, questionsAtATime: { light: 3, heavy: 1 } },
      ...{ engine: () => engine, place: "the test's database", clock: systemClock, onChange: () => undefined },
    });
    return { ...drivers, client: this.client };
  }

  /** Faults of an own device are the same in both fleets, between others that are not; another team has silenced its own. */
  private async tellFaults({ selector: { namespaces } }: World): Promise<FaultLeader> {
    const store = new SqlFaultStore(this.client);
    const leader = await FaultLeader.of(store);
    const side = sides[this.side];
    const at = (minutes: number): number => worldStartMs + minutes * 60_000;
    const heldBy = (namespace: string) => ({ namespace, pod: `${namespace}-pod`, container: "main" });
    const foreign = { name: `${side}.fault`, startedAtMs: at(0), holders: [heldBy(`${side}-team`)] };
    const elsewhere = { clusterId: `${side}-cluster`, hostname: `${side}-host`, uuid: `GPU-${side}-0` };
    const place = { clusterId: own.clusters[0], hostname: own.hosts[0], uuid: own.uuids[0] };
    // who shares an own device is no secret without namespaces
    const sharing = namespaces === undefined ? [] : foreign.holders;
    const held = { ...place, startedAtMs: at(1), holders: [...own.namespaces.map(heldBy), ...sharing] };
    for (let minutes = 1; minutes <= 1 + this.side; minutes += 1) {
      await leader.tell(faultChange({ ...foreign, ...elsewhere }, "firing", at(minutes)));
    }
    await leader.tell(faultChange(held, "firing", at(6)));
    if (namespaces !== undefined) {
      const states = ["firing", "resolved"] as const;
      await leader.tell(...states.map((state, index) => faultChange({ ...foreign, ...place }, state, at(7 + index))));
    }
    await leader.tell(faultChange(held, "resolved", at(9)));
    await leader.tell(faultChange({ ...held, name: "memory.full" }, "firing", at(10)));
    await store.orders.silence({
      ...{ matchers: [{ field: "name", pattern: "*", isEqual: true }], within: { namespaces: [`${side}-team`] } },
      ...{ author: `${side}-team`, reason: `${side}-reason`, startsAtMs: worldStartMs, endsAtMs: silencedUntilMs },
    });
    return leader;
  }

  private async tellInventory({ inventory }: Awaited<ReturnType<TwinDatabase["emptied"]>>, world: World) {
    const [hostname] = own.hosts;
    const [clusterId] = own.clusters;
    const name = sides[this.side];
    const { hosts, clusters, namespaces } = world.selector;
    const isHostOwnAnywhere = hosts !== undefined && clusters === undefined && namespaces === undefined;
    await inventory.declare([
      { clusterId, hostname, uuid: "", gpus: 4 },
      { clusterId, hostname, uuid: "GPU-own-declared", gpus: undefined },
      ...(this.side === 0 && !isHostOwnAnywhere ? [{ clusterId: `${name}-cluster`, hostname, uuid: "", gpus: 7 }] : []),
      ...(namespaces === undefined ? [] : [{ clusterId, hostname, uuid: `GPU-${name}-on-own-host`, gpus: undefined }]),
      { clusterId: `${name}-cluster`, hostname: `${name}-host`, uuid: `GPU-${name}-declared`, gpus: undefined },
    ]);
    const change = { fromMs: undefined, toMs: undefined, note: "" };
    const foreign = { clusterId: `${name}-cluster`, hostname: `${name}-host` };
    await inventory.change({ ...change, action: "maintenance", subject: foreign, note: `${name}-note` });
    if (world.hostState === undefined) return;
    await inventory.change({ ...change, action: world.hostState, subject: { clusterId, hostname }, note: "own note" });
  }
}

/** When the other team's silence ends: after every test. */
const silencedUntilMs = Date.UTC(2100, 0, 1);

function batchOf(parts: readonly Part[], atMs: number) {
  const builder = new BatchBuilder();
  for (const { workload = noWorkload, metrics, ...gpu } of parts) {
    const attributes = { device: `nvidia${gpu.gpuId}`, modelName: "H100", properties: { pod_uid: gpu.driverVersion } };
    const record = builder.record(builder.gpuIndex({ ...gpu, ...attributes }), atMs, builder.workloadIndex(workload));
    for (const [name, value] of Object.entries(metrics)) {
      const index = metricIndexOf(name);
      if (index === undefined) builder.setCustom(record, name, value);
      else builder.set(record, index, value);
      builder.count("rows");
    }
  }
  return builder.build();
}
