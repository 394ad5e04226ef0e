import { MemoryScalingRecords } from "../../src/scaling/coordinator/memory/memory-scaling-records.ts";
import { MemoryLeaderElection } from "../../src/scaling/election/memory/memory-leader-election.ts";
import { exerciseLeaderElection } from "../contract/leader-election.ts";
import { exerciseScalingRecords } from "../contract/scaling-records.ts";

const election = new MemoryLeaderElection();
exerciseLeaderElection("MemoryLeaderElection", () => election);

exerciseScalingRecords("MemoryScalingRecords", () =>
  Promise.resolve({
    records: new MemoryScalingRecords("one"),
    election: new MemoryLeaderElection(),
    close: () => Promise.resolve(),
  }),
);
