import { MemoryTargetStates } from "../../src/pipeline/source/states/memory/memory-target-states.ts";
import { exerciseTargetStates } from "../contract/target-states.ts";
import { ManualClock } from "../support/manual-clock.ts";

exerciseTargetStates("MemoryTargetStates", () =>
  Promise.resolve({ states: new MemoryTargetStates(new ManualClock()), close: () => Promise.resolve() }),
);
