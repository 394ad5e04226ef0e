import { systemClock } from "../../src/kit/clock.ts";
import { LocalLiveAssignment } from "../../src/pipeline/stream/assignment/local-live-assignment.ts";
import { exerciseLiveAssignment, liveMessage, namedSource } from "../contract/live-assignment.ts";
import { openMemoryStore } from "../support/open-store.ts";

exerciseLiveAssignment("LocalLiveAssignment", async () => {
  const { store, close } = await openMemoryStore();
  const source = namedSource("fleet");
  return {
    source,
    assignment: new LocalLiveAssignment(store, systemClock),
    openOther: () => new LocalLiveAssignment(store, systemClock),
    settle: (_, live) => {
      const { idempotencyKey, source: at } = liveMessage(source.sourceId, live);
      return store.ingest({ messageId: idempotencyKey, idempotencyKey, source: at, batch: live.batch });
    },
    close,
  };
});
