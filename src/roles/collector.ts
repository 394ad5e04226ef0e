import { ineffectiveSettings } from "../config/ineffective-settings.ts";
import { Collector } from "../pipeline/collect/collector.ts";
import type { OpenStore } from "../pipeline/store/open-store.ts";
import { DiskUpkeep } from "../pipeline/upkeep/disk-upkeep.ts";
import { HistoryUpkeep } from "../pipeline/upkeep/history-upkeep.ts";
import { MessageUpkeep } from "../pipeline/upkeep/message-upkeep.ts";
import { InventoryUpkeep } from "../pipeline/upkeep/inventory-upkeep.ts";
import { showDisk } from "../pipeline/observe/disk-instruments.ts";
import { SettleUpkeep } from "../pipeline/upkeep/settle-upkeep.ts";
import { showSettling } from "../pipeline/observe/settle-instruments.ts";
import { showInventory } from "../pipeline/observe/inventory-instruments.ts";
import { defined } from "../kit/defined.ts";
import type { ServiceLoad } from "../scaling/registry/service-instance.ts";
import { archiveUpkeep, unarchivedHours } from "./open-archive.ts";
import { uploadServices } from "./open-uploads.ts";
import type { Role } from "./role.ts";
import type { SharedParts } from "./shared-parts.ts";
import { claimingTopic, compareBeforeStart, StoreCheck } from "./store-check.ts";

/** Stores the queue's messages, updates the hot tier, and deletes history that is too old. */
export const collector: Role = {
  name: "collector",
  writesHotTier: true,
  async open(shared) {
    const { config, etcd } = shared;
    const opened = await shared.store.open();
    const admit = claimingTopic(shared, opened);
    await compareBeforeStart(admit);
    const { clock, log } = shared;
    const collecting = new Collector({
      ...shared,
      store: opened.store,
      admit,
      consumerId: shared.instanceId,
      workers: config.collectorWorkers,
      leaseSeconds: config.queueLeaseSeconds,
      drainOnStop: etcd === undefined,
    });
    return {
      services: [
        collecting,
        ...(etcd === undefined ? [] : [new StoreCheck({ compare: admit, etcd, clock, log })]),
        historyUpkeep(opened, shared),
        ...diskUpkeep(opened, shared),
        settleUpkeep(opened, shared),
        ...archiveUpkeep(opened, shared),
        inventoryUpkeep(opened, shared),
        new MessageUpkeep({ ...shared, folding: opened.folding }),
        ...uploadServices(opened, shared),
      ],
      banner: { pages: [], facts: [] },
      servesFromMemory: () => false,
      load: () => loadOf(collecting, shared),
      routes: () => [],
    };
  },
};

async function loadOf({ inFlight }: Collector, { queue }: SharedParts): Promise<ServiceLoad> {
  const stats = await queue.stats().catch(() => undefined);
  return { in_flight: inFlight, ...(stats && { lag_seconds: Math.max(0, stats.oldestAgeMs / 1000) }) };
}

/** The service that applies the file of the inventory and notices what has come back. */
function inventoryUpkeep({ inventory }: OpenStore, { config, clock, log, registry }: SharedParts): InventoryUpkeep {
  const { inventoryFile: file, clusterId } = config;
  const upkeep = new InventoryUpkeep({ inventory, file, clusterId, clock, log });
  showInventory(() => upkeep.counts, registry);
  return upkeep;
}

/** The service that keeps the files of the embedded store small; none for a database that does so by itself. */
function diskUpkeep({ disk }: OpenStore, { clock, log, registry }: SharedParts): DiskUpkeep[] {
  if (disk === undefined) return [];
  const upkeep = new DiskUpkeep({ disk, clock, log });
  showDisk({ use: () => disk.use(), trimmedRecords: () => upkeep.trimmedRecords }, registry);
  return [upkeep];
}

/** The service that deletes old history, and what quarantine has too much of. */
function historyUpkeep(opened: OpenStore, { config, clock, log }: SharedParts): HistoryUpkeep {
  for (const warning of ineffectiveSettings(config)) log.warn(warning);
  const keepDays = { raw: config.retentionRawDays, "1h": config.retention1hDays, usage: config.usageRetentionDays };
  const unarchived = unarchivedHours(opened, config);
  return new HistoryUpkeep({ retention: opened.retention, keepDays, ...defined({ unarchived }), clock, log });
}

/** The service that settles history, or tells what waits if that is switched off. */
function settleUpkeep({ settling, store }: OpenStore, { config, clock, log, registry }: SharedParts): SettleUpkeep {
  const isEmbedded = config.databaseUrl === undefined;
  const isOn = config.settleHistory;
  const upkeep = new SettleUpkeep({
    ...{ settling, isOn, clock, log },
    afterMinutes: config.settleAfterMinutes,
    pauses: isEmbedded,
  });
  showSettling(() => ({ ...upkeep.current, isOn, unsettledRecords: store.unsettledRecords }), registry);
  return upkeep;
}
