import { MemoryQueue } from "../../src/pipeline/queue/memory/memory-queue.ts";
import { exerciseQueue } from "../contract/queue.ts";
import { ManualClock } from "../support/manual-clock.ts";

const leaseSeconds = 30;

exerciseQueue("MemoryQueue", (options) => {
  const clock = new ManualClock();
  const queue = new MemoryQueue({ topic: "contract", clock, leaseSeconds, ...options });
  return Promise.resolve({ queue, deadLetters: queue, letLeasesEnd: () => clock.advance(leaseSeconds * 1000) });
});
