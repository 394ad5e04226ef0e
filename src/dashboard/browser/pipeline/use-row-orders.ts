import { useState } from "preact/hooks";
import { messageOf } from "../live/gateway-api.ts";
import type { LivePipeline } from "../live/pipeline-api.ts";

/** What a person orders for the rows of a table: whether they may, and what became of the last order. */
export function useRowOrders(live: LivePipeline) {
  const [said, say] = useState("");
  /** @param done what to say once the change is made */
  const run = async (change: Promise<unknown>, done: string): Promise<void> => {
    say(await change.then(() => done).catch(messageOf));
    await live.refresh();
  };
  return { mayChange: live.answers.me?.scopes.includes("operate") === true, said, run };
}
