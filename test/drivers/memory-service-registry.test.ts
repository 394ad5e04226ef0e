import { systemClock } from "../../src/kit/clock.ts";
import { MemoryServiceRegistry } from "../../src/scaling/registry/memory/memory-service-registry.ts";
import { exerciseServiceRegistry } from "../contract/service-registry.ts";

exerciseServiceRegistry("MemoryServiceRegistry", () =>
  Promise.resolve({ registry: new MemoryServiceRegistry(systemClock), close: () => Promise.resolve() }),
);
