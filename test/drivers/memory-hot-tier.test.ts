import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { exerciseHotTier } from "../contract/hot-tier.ts";

exerciseHotTier("MemoryHotTier", () => {
  let coalesced = 0;
  const hotTier = new MemoryHotTier({ onCoalesced: (records) => (coalesced += records) });
  // its process is alone: the other is the same
  return Promise.resolve({ hotTier, other: hotTier, coalesced: () => coalesced, close: () => Promise.resolve() });
});
