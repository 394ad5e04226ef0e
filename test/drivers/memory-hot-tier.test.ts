import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { exerciseHotTier, type OpenHotTier } from "../contract/hot-tier.ts";
import { exerciseHotTierDevices } from "../contract/hot-tier-devices.ts";

function openTier(): Promise<OpenHotTier> {
  let coalesced = 0;
  const hotTier = new MemoryHotTier({ onCoalesced: (records) => (coalesced += records) });
  // a hot tier in memory is not shared between processes, so `other` is the same hot tier
  return Promise.resolve({ hotTier, other: hotTier, coalesced: () => coalesced, close: () => Promise.resolve() });
}

exerciseHotTier("MemoryHotTier", openTier);
exerciseHotTierDevices("MemoryHotTier", openTier);
