import { afterEach, describe, expect, test } from "bun:test";
import { until } from "../../dev/until.ts";
import type { ServiceInstance } from "../../src/scaling/registry/service-instance.ts";
import type { RegistryEntry, ServiceRegistry } from "../../src/scaling/registry/service-registry.ts";

/** A registry under test. */
export interface OpenRegistry {
  readonly registry: ServiceRegistry;
  readonly close: () => Promise<void>;
}

/** A process as it describes itself.
 *  @param more fields that replace those of this process */
export function instanceOf(id: string, more: Partial<ServiceInstance> = {}): ServiceInstance {
  return {
    instance_id: id,
    name: id,
    roles: ["collector"],
    state: "ready",
    health: "ok",
    errors: [],
    address: "10.1.2.3",
    port: 8080,
    url: "http://10.1.2.3:8080",
    host: "host-a",
    pid: 4711,
    version: "0.1.0",
    topic: "telemetry",
    cluster_id: "local-cluster",
    started_at: "2025-07-18T20:42:34Z",
    updated_at: "2025-07-18T20:50:00Z",
    load: { samples_per_second: 41_200.5, rss_bytes: 2 ** 33 },
    ...more,
  };
}

/** The contract of every driver of ServiceRegistry. */
export function exerciseServiceRegistry(name: string, open: () => Promise<OpenRegistry>): void {
  describe(`${name} keeps the registry's contract`, () => {
    let opened: OpenRegistry;
    const entries: RegistryEntry[] = [];
    afterEach(async () => {
      await Promise.all(entries.splice(0).map((entry) => entry.remove()));
      await opened.close();
    });
    const start = async (): Promise<ServiceRegistry> => {
      opened = await open();
      return opened.registry;
    };
    const entryOf = (registry: ServiceRegistry, id: string): RegistryEntry => {
      const entry = registry.openEntry(id, () => undefined);
      entries.push(entry);
      return entry;
    };
    const idsIn = (instances: readonly ServiceInstance[]): string[] => instances.map(({ instance_id: id }) => id);

    test("an entry that was not written is not listed", async () => {
      const registry = await start();
      entryOf(registry, "one");
      expect((await registry.list()).instances).toEqual([]);
    });

    test("an entry is listed as it was last written, and not at all after its removal", async () => {
      const registry = await start();
      const entry = entryOf(registry, "host a/ä%:1");
      await entry.put(instanceOf("host a/ä%:1", { state: "starting" }));
      const ready = instanceOf("host a/ä%:1", { external_url: "https://one.example" });
      await entry.put(ready);
      const beforeMs = Date.now();
      const { instances, asOfMs } = await registry.list();
      expect(instances).toEqual([ready]);
      expect(asOfMs).toBeGreaterThanOrEqual(beforeMs);
      await entry.remove();
      expect((await registry.list()).instances).toEqual([]);
    });

    test("instances are in the order of their names, with numbers in theirs", async () => {
      const registry = await start();
      for (const id of ["collector-10", "streamer-1", "collector-9"]) await entryOf(registry, id).put(instanceOf(id));
      expect(idsIn((await registry.list()).instances)).toEqual(["collector-9", "collector-10", "streamer-1"]);
    });

    test("a removed entry never comes back, and a second removal does nothing", async () => {
      const registry = await start();
      const entry = entryOf(registry, "one");
      const writing = entry.put(instanceOf("one")).catch(() => undefined);
      await entry.remove();
      await writing;
      await entry.remove();
      await entry.put(instanceOf("one"));
      expect((await registry.list()).instances).toEqual([]);
    });

    test("a watcher receives the list, then every change, and nothing after its signal has aborted", async () => {
      const registry = await start();
      const [one, two] = [entryOf(registry, "one"), entryOf(registry, "two")];
      await one.put(instanceOf("one"));
      const seen: (readonly ServiceInstance[])[] = [];
      const stop = new AbortController();
      const watching = registry.watch((instances) => seen.push(instances), stop.signal);
      await until(() => Promise.resolve(seen.length > 0));
      expect(seen[0]).toEqual([instanceOf("one")]);
      await two.put(instanceOf("two"));
      await until(() => Promise.resolve(idsIn(seen.at(-1) ?? []).length === 2));
      await one.put(instanceOf("one", { state: "draining" }));
      await until(() => Promise.resolve(seen.at(-1)?.[0]?.state === "draining"));
      await one.remove();
      await until(() => Promise.resolve(idsIn(seen.at(-1) ?? []).join() === "two"));
      stop.abort();
      await watching;
      const received = seen.length;
      await two.put(instanceOf("two", { state: "unready" }));
      await Bun.sleep(50);
      expect(seen).toHaveLength(received);
    });

    test("a watch with an aborted signal ends without a list", async () => {
      const registry = await start();
      const seen: unknown[] = [];
      await registry.watch((instances) => seen.push(instances), AbortSignal.abort());
      expect(seen).toEqual([]);
    });
  });
}
